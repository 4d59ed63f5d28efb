COMMENT ON FUNCTION multica_heartbeat(uuid, uuid[], uuid) IS
$$Records a heartbeat of one runtime: it is online and was seen now, whatever its status was. Call it about every 15 s, well
within multica.stale_after.
runtime_id: id of the runtime.
running_task_ids: ids of all tasks that the daemon works on, those that wait for a directory included; NULL (the default)
  reports nothing about them. A task that two lists in a row do not name is lost: a sweep fails it after multica.lost_after.
  An empty array names none of them.
incarnation: the uuid that the process passed to multica_register; NULL (the default) is not checked.
Returns multica_beat; the daemon should stop the agents of the tasks in stop_task_ids, or call multica_resume for those that
  are in resume_task_ids too: silence has failed them, and their runs can go on. A runtime that was offline is announced by daemon:register with action 'online'; an ordinary heartbeat records no event. If an index contains
  last_seen_at and multica.stale_after is at least 30 s, nothing is written while the runtime is online and was seen within a
  fifth of that time.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 (no_runtime) the runtime does not exist: register
  again; 55000 (superseded) another process has registered the runtime: stop; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements UpdateAgentRuntimeHeartbeat.$$;

COMMENT ON FUNCTION multica_heartbeat_many(uuid[]) IS
$$Records heartbeats of many runtimes in one statement: those of one daemon, or those that a server has collected.
runtime_ids: ids of the runtimes; unknown ones are ignored, a repeated one counts once, an empty array is allowed.
Returns the number of runtimes that exist and were written, or need not be written, as for multica_heartbeat. Those that were
  offline are announced as by multica_heartbeat.
  A runtime that a trigger or constraint of your own refuses is named in a WARNING and not counted; the others are written.
  It does not check which process has registered the runtimes, and says nothing about their tasks.
Errors: 22004 the array or an element is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the
  tables is missing.
Implements UpdateAgentRuntimeHeartbeat, for many runtimes.$$;

COMMENT ON FUNCTION multica_set_runtime_offline(uuid, jsonb) IS
$$Sets one runtime offline. last_seen_at does not change, and its tasks in flight are left to the next sweep.
runtime_id: id of the runtime.
reason: an object that is stored in the metadata as offline_reason, also if the runtime was offline; it stays there until the
  runtime is registered again. NULL (the default) stores nothing.
Returns true if it was online, false if it was already offline. Records daemon:register with action 'deregister' if
  something was written.
Errors: 22004 runtime_id is NULL; 22023 reason is not an object; P0002 (no_runtime) the runtime does not exist;
  55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements SetAgentRuntimeOffline.$$;

COMMENT ON FUNCTION multica_deregister(uuid[], jsonb) IS
$$Sets the runtimes of a daemon offline before it exits, at once instead of after multica.stale_after. Their tasks in flight
are left to the next sweep.
runtime_ids: ids of the runtimes; unknown ones are ignored, an empty array is allowed.
reason: an object, as for multica_set_runtime_offline; NULL (the default) stores nothing.
Returns the number of runtimes that were online until now. Records one daemon:register with action 'deregister' per
  workspace. A runtime that a trigger or constraint of your own refuses is named in a WARNING and stays online; the others
  go offline.
Errors: 22004 the array or an element is NULL; 22023 reason is not an object; 55000 (install_needed) the tables are missing;
  42501 a privilege on the tables is missing.
Implements SetAgentRuntimeOffline, for many runtimes.$$;

COMMENT ON FUNCTION multica_mark_stale_runtimes_offline(double precision, integer) IS
$$Sets runtimes offline that are online and have been silent for too long. It is the first stage of multica_sweep, for
callers that schedule the stages themselves. Rows that other transactions have locked are skipped, so a heartbeat that
arrives first wins.
stale_secs: seconds without a heartbeat, above 0.
max_runtimes: maximum number of runtimes, 0 or more, those silent for longest first; NULL (the default) means no limit.
Returns one multica_runtime_ref per runtime set offline; a runtime that was never seen is never stale. Records
  daemon:register with action 'stale_sweep'. Their tasks in flight are left to the next stage or sweep.
Errors: 22004 stale_secs is NULL; 22023 stale_secs is not a finite number above 0, or max_runtimes is below 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements MarkStaleRuntimesOffline.$$;
