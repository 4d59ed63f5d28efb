-- What the rows mean that functions return. Times are timestamptz of the database's clock.

COMMENT ON TYPE multica_runtime IS
$$A runtime: one provider of one machine, as the table agent_runtime has it. status is 'online' or 'offline';
last_seen_at is the time of its last heartbeat (NULL: never seen); legacy_daemon_id is the first identity that was merged
into it.$$;

COMMENT ON TYPE multica_registered IS
$$What a registration did with one runtime: the runtime's columns as they are now, inserted (true: it is new,
false: an existing row was overwritten), merged (how many runtimes of earlier identities became part of it),
not_merged (how many were kept because something refers to them or keeps them from being written; a WARNING names
each).$$;

COMMENT ON TYPE multica_beat IS
$$What a heartbeat returns: the runtime's columns as they are now, and stop_task_ids: of the tasks that the daemon
reports as running, those that are no longer in flight on this runtime, in the order given (NULL if the daemon
reported none).$$;

COMMENT ON TYPE multica_runtime_ref IS
$$A runtime's id, and the workspace to which it belongs or belonged.$$;

COMMENT ON TYPE multica_runtime_deleted IS
$$What was deleted with a runtime: agents_deleted (archived agents), tasks_deleted (their tasks), and tasks_kept (tasks of
agents that are bound to other runtimes, where they are now).$$;

COMMENT ON TYPE multica_merged IS
$$What a merge did: runtime_id (the runtime that stays), merged (runtimes that became part of it),
agents_reassigned and tasks_reassigned (rows that moved), not_merged (runtimes that were kept because something refers
to them or keeps them from being written; a WARNING names each).$$;

COMMENT ON TYPE multica_task IS
$$A task, one attempt at a piece of work, as the table agent_task_queue has it. status: queued, dispatched,
running, completed, failed or cancelled. attempt counts from 1, parent_task_id is the attempt before it;
session_id and work_dir are where the agent can resume.$$;

COMMENT ON TYPE multica_enqueued IS
$$What an enqueue did: task_id (the task that waits now), created (false: it was already pending).$$;

COMMENT ON TYPE multica_claimed IS
$$A task that a runtime has claimed: the task's columns, workspace_id, prior_session_id and prior_work_dir (where to
resume, both from one source), claim_token (the moment of the claim in microseconds, to be passed to multica_start,
multica_pin_session, multica_complete and multica_fail).$$;

COMMENT ON TYPE multica_transition IS
$$A task after a call and what the call did: the task's columns as they are now, applied (false: it had already ended and
nothing was done), retry_task_id (the retry that was queued), first_execution (true: this call stamped the issue's
first_executed_at).$$;

COMMENT ON TYPE multica_session IS
$$Where an agent can resume: session_id and work_dir of the same task.$$;

COMMENT ON TYPE multica_swept IS
$$What one sweep did: runtimes_offline (runtimes set offline), tasks_failed (in flight on offline runtimes),
tasks_timed_out, tasks_retried (retries queued for both kinds), issues_reset (back to todo), agents_reconciled
(agents whose status changed), runtimes_deleted, more (true: a stage hit multica.batch_size or the sweep
multica.sweep_budget; sweep again).$$;

COMMENT ON TYPE multica_recovered IS
$$What recovering orphans did: orphaned (tasks failed), retried (retries queued for them).$$;

COMMENT ON TYPE multica_consequences IS
$$The consequences of failed tasks: retried (retries queued), issues_reset (issues back to todo), agents_reconciled
(agents whose status changed).$$;

COMMENT ON TYPE multica_event IS
$$An event of the outbox: id (ascending in the order in which events can be read), created_at, type (task:failed,
task:queued, issue:updated, agent:status, autopilot:run_done, daemon:register and others), workspace_id (NULL if it is
unknown), payload (an object; ignore keys you do not know).$$;

COMMENT ON TYPE multica_install_step IS
$$One object that multica_install looked at: object (its name), action (created, altered, adopted, or missing: an
adopted table lacks it and its owner may add it), ddl (the statement that was run or would be; NULL if there
is none).$$;

COMMENT ON TYPE multica_status_report IS
$$The state of this database: preloaded (the server preloads the library), sweep (as set by ALTER DATABASE:
whether the worker sweeps it), stale_after and offline_grace (in effect), launcher_pid; last_sweep_at; last_sweep_ms
and the last_ counters of the last sweep that did something; last_error and last_error_at (of the worker, or of the
last row that a sweep could not write); refused_ids (runtimes and tasks that sweeps skip because they cannot be written); runtimes and tasks by status, tasks_unclaimable (queued for a
runtime that is offline, an archived agent, or across workspaces), oldest_queued_secs in seconds; events_kept (an
estimate), events_held (not readable yet because of a transaction open since events_held_since), slowest_reader and
how many events it is behind; total_sweeps (sweeps that did something) and the other total_ counters, all that sweeps
did since totals_since (NULL before the first one is counted); refused_event_ids (old events that could not be deleted);
event_log_trouble (why the ids of the event log cannot continue; NULL if they can).$$;

COMMENT ON TYPE multica_metric IS
$$One figure for an exporter: name, labels (an object), value.$$;

COMMENT ON TYPE multica_reader IS
$$A named reader of the outbox: reader (its name), last_id (the last event it has taken), behind (events after that
one, an estimate), created_at, taken_at (when it last took any).$$;
