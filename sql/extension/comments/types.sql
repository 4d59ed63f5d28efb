-- The meaning of the rows that functions return. Times are timestamptz of the database's clock.

COMMENT ON TYPE multica_runtime IS
$$A runtime, with the columns of the table agent_runtime: one provider of one daemon, or one profile. status is 'online' or
'offline'; last_seen_at is the time of its last heartbeat (NULL: never seen); legacy_daemon_id is the first daemon id that was
merged into it; profile_id is its profile; visibility and custom_name are what users have set. An attribute is NULL where the
table has no such column.$$;

COMMENT ON TYPE multica_registered IS
$$The effect of a registration on one runtime: the runtime's columns as they are now, as in multica_runtime; inserted (true:
the runtime is new, false: an existing row was overwritten); merged (number of runtimes of earlier daemon ids that were merged
into it); not_merged (number of such runtimes that were kept because something refers to them or prevents writing them; a
WARNING names each).$$;

COMMENT ON TYPE multica_beat IS
$$The answer to a heartbeat: the runtime's columns as they are now, as in multica_runtime; stop_task_ids (of the tasks that the
daemon reported as running, those that are no longer in flight on this runtime, in the reported order; NULL if the daemon
reported nothing); resume_task_ids (those of them with which the daemon can go on: multica_resume works for them).$$;

COMMENT ON TYPE multica_runtime_ref IS
$$A runtime, by its id and by the workspace that it belongs to or belonged to.$$;

COMMENT ON TYPE multica_runtime_deleted IS
$$The effect of deleting a runtime: agents_deleted (its archived agents where every agent has a runtime, and its system agents);
tasks_deleted (tasks that were deleted with them); tasks_kept (tasks that moved to another runtime or have no runtime now);
agents_unbound (agents that have no runtime now); autopilots_paused (autopilots that were paused because of that).$$;

COMMENT ON TYPE multica_merged IS
$$The effect of a merge: runtime_id (the runtime that stays); merged (number of runtimes that were merged into it);
agents_reassigned and tasks_reassigned (number of rows that moved); not_merged (number of runtimes that were kept because
something refers to them or prevents writing them; a WARNING names each).$$;

COMMENT ON TYPE multica_task IS
$$A task, with columns of the table agent_task_queue: one attempt. status is queued, dispatched, running, completed, failed
or cancelled; in the tables of a newer server also waiting_local_directory or deferred. attempt counts from 1;
parent_task_id is the previous attempt; session_id and work_dir are where the agent can resume. An attribute is NULL if the
table has no such column: last_heartbeat_at, and those from prepare_lease_expires_at on.$$;

COMMENT ON TYPE multica_enqueued IS
$$The effect of an enqueue: task_id (the task that does the work); created (true: it is a new task); outcome: 'queued',
'deferred' (until run_after), 'planned' (deferred until the claimed task of the same issue and agent has started), 'merged' (the
comment has joined a task that waits) or 'pending' (that task was already there).$$;

COMMENT ON TYPE multica_claimed IS
$$A task that a runtime claimed: the task's columns; workspace_id; prior_session_id and prior_work_dir (where to resume, both
from the same source); claim_token (the time of the claim in microseconds; pass it to multica_start, multica_pin_session,
multica_complete and multica_fail).$$;

COMMENT ON TYPE multica_transition IS
$$A task after a call, and the effect of the call: the task's columns as they are now; applied (false: the task had already
ended and nothing was done); retry_task_id (the retry that was queued); first_execution (true: this call set the issue's
first_executed_at).$$;

COMMENT ON TYPE multica_session IS
$$Where an agent can resume: session_id and work_dir of the same task. session_id is NULL if only the directory is usable.$$;

COMMENT ON TYPE multica_swept IS
$$The effect of one sweep: runtimes_offline (runtimes set offline); tasks_failed (tasks in flight on offline runtimes, and
tasks that their daemon has lost); tasks_timed_out (tasks that took or waited for too long, or gave no sign of life any more);
tasks_retried (retries queued for both kinds, and those that a server left undone); issues_reset (issues set back to todo);
agents_reconciled (agents whose status changed); runtimes_deleted; more (true: a stage reached multica.batch_size or the sweep
reached multica.sweep_budget; sweep again).$$;

COMMENT ON TYPE multica_recovered IS
$$The effect of recovering orphans: orphaned (tasks failed); retried (retries queued for them).$$;

COMMENT ON TYPE multica_consequences IS
$$The consequences of failed tasks: retried (retries queued); issues_reset (issues set back to todo); agents_reconciled
(agents whose status changed).$$;

COMMENT ON TYPE multica_event IS
$$An event of the event log: id (ascending in the order in which events can be read); created_at; type (task:failed,
task:queued, issue:updated, agent:status, autopilot:run_done, daemon:register and others); workspace_id (NULL if none could
be determined); payload (an object; ignore keys that you do not know).$$;

COMMENT ON TYPE multica_install_step IS
$$One object that multica_install handled: object (its name); action (created, altered, adopted, dropped; missing: a table lacks
it and its owner may add it; reported: its owner should repair it; next: the objects are left to the next call); ddl (the
statement that was run or would be run, or that repairs it; NULL if there is none).$$;

COMMENT ON TYPE multica_status_report IS
$$The state of this database. preloaded: the server preloads the library. sweep: the value that ALTER DATABASE set, which
decides whether the worker sweeps it. stale_after and offline_grace: the values in effect. launcher_pid. last_sweep_at.
last_sweep_ms and the other last_ counters: the last sweep that did something. last_error and last_error_at: the last error
of the worker, or of the last row that a sweep could not write. refused_ids: runtimes and tasks that are skipped because
they cannot be written. runtimes_ and tasks_ counters: rows by status. tasks_unclaimable: tasks queued for a runtime that is
offline, for an archived agent, or across workspaces. oldest_queued_secs: age of the oldest queued task in seconds.
events_kept: number of events, an estimate. events_held: events that cannot be read yet because of a transaction that has
been open since events_held_since. slowest_reader and slowest_reader_behind: the reader that is furthest behind, and by how
many events. total_sweeps: sweeps that did something; the other total_ counters: everything that sweeps did since
totals_since (NULL before the first sweep is counted). refused_event_ids: old events that could not be deleted.
event_log_trouble: why the ids of the event log cannot continue (NULL if they can). tasks_waiting: tasks that wait for their
directory. tasks_deferred: tasks that are to be queued later. features: what the tables have that not every server's tables
have, by the names of docs/compatibility.md. indexes_missing: indexes that multica_install leaves to the owner, because their
tables are large. table_grants: roles with a capability that still have privileges on the tables which their calls do not need,
as "capability role"; multica_revoke and then multica_grant takes them away. stale_after_source, offline_grace_source and
queued_ttl_source: why these thresholds have their values. queued_ttl and finish_after: the values in effect (NULL: off).
stages_off: stages of a sweep that the settings ask for and that lack an index, with its name. verdicts_held_until: sweeps set
no runtime offline and fail no task until then, because of an outage (NULL: they do). verdicts_held_because: which outage.
lost_after and idle_timeout: the values in effect (NULL: off).$$;

COMMENT ON TYPE multica_metric IS
$$One value for a metrics exporter: name, labels (an object), value.$$;

COMMENT ON TYPE multica_reader IS
$$A named reader of the event log: reader (its name); last_id (id of the last event that it has taken); behind (number of
events after that one, an estimate); created_at; taken_at (when it last took events).$$;

COMMENT ON TYPE multica_retry_rule IS
$$What follows when a task fails for a reason: reason (a failure_reason, or * for every reason without a rule of its own);
is_retried; max_attempts (attempts in all, the first one included; 0 means the task's own max_attempts); delay_secs (seconds
until the retry is due); delay_from_attempt (the first attempt whose failure is followed by the delay); backoff_factor (by
what the delay is multiplied after each further attempt); jitter (the part of the delay that is added at random, at most);
keeps_session (whether the retry resumes the session and the working directory); waits_for_runtime (whether the retry is
deferred until its runtime is online); unsafe_to_resume (whether no later task may resume the session); is_changed (whether
the operator has changed the rule).$$;
