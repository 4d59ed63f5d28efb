COMMENT ON FUNCTION multica_heartbeat(uuid, uuid[]) IS
$$Reports that a runtime is alive: it is online and seen now, whatever its status was. Call it every 15 s or so, well
within multica.stale_after.
runtime_id: the runtime.
running_task_ids: ids of the tasks that the daemon is working on; NULL if the daemon does not report them.
Returns multica_beat; its stop_task_ids are tasks whose agents the daemon should stop. For a runtime that was
  offline it records daemon:register with action 'online'; an ordinary heartbeat records nothing.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 no such runtime: register again; 55000
  the tables are missing; 42501 no privilege on them.
Carries out UpdateAgentRuntimeHeartbeat.$$;

COMMENT ON FUNCTION multica_heartbeat_many(uuid[]) IS
$$Reports that many runtimes are alive, in one statement: those of a machine, or those that a server has collected.
runtime_ids: the runtimes; unknown ones are ignored, one given twice counts once, an empty array is allowed.
Returns how many of them exist and were written. Events as by multica_heartbeat. A runtime that a
  trigger or constraint of your own refuses is named in a WARNING and not counted; the others are written.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out UpdateAgentRuntimeHeartbeat, for many.$$;

COMMENT ON FUNCTION multica_set_runtime_offline(uuid) IS
$$Sets one runtime offline. Its last_seen_at stays, and its tasks in flight are left to the next sweep.
runtime_id: the runtime.
Returns true if it was online, false if it was already offline. Records daemon:register with action
  'deregister' if it was online.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55000 the tables are missing; 42501 no privilege on
  them.
Carries out SetAgentRuntimeOffline.$$;

COMMENT ON FUNCTION multica_deregister(uuid[]) IS
$$Sets the runtimes of a daemon that is about to exit offline at once, instead of after multica.stale_after. Tasks in flight
are left to the next sweep.
runtime_ids: the runtimes; unknown ones are ignored, an empty array is allowed.
Returns how many were online. Records one daemon:register with action 'deregister' per workspace. A runtime that a
  trigger or constraint of your own refuses is named in a WARNING and stays online; the others go offline.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out SetAgentRuntimeOffline, for many.$$;

COMMENT ON FUNCTION multica_mark_stale_runtimes_offline(double precision, integer) IS
$$Sets runtimes offline that are online and stale. The first stage of multica_sweep, for
those who schedule stages by themselves. Rows that other sessions hold are skipped, so a heartbeat that arrives first wins.
stale_secs: seconds without a heartbeat, above 0.
max_runtimes: the limit, those silent for longest first; NULL is no limit.
Returns one multica_runtime_ref per runtime set offline; one that was never seen is never stale. Records
  daemon:register with action 'stale_sweep'. Their tasks in flight are left to the next stage or sweep.
Errors: 22004 stale_secs is NULL; 22023 stale_secs is not a finite number above 0, or max_runtimes is below 0;
  55000 the tables are missing; 42501 no privilege on them.
Carries out MarkStaleRuntimesOffline.$$;
