COMMENT ON FUNCTION multica_heartbeat(uuid, uuid[]) IS
$$A sign of life of one runtime: it is online and seen now, whatever it was before. Call it every 15 s or so, well
within multica.stale_after.
runtime_id: the runtime.
running_task_ids: ids of the tasks that the daemon is working on; NULL says nothing about them.
Returns multica_beat; its stop_task_ids are tasks whose agents the daemon should stop. A runtime that was
  offline is announced by daemon:register with action 'online'; an ordinary beat records nothing.
Errors: 22004 runtime_id or an element of running_task_ids is NULL; P0002 no such runtime: register again; 55000
  the tables are missing; 42501 no privilege on them.
Carries out UpdateAgentRuntimeHeartbeat.$$;

COMMENT ON FUNCTION multica_heartbeat_many(uuid[]) IS
$$A sign of life of many runtimes in one statement: a whole machine's, or what a server has gathered.
runtime_ids: the runtimes; unknown ones are passed over, one given twice counts once, an empty array is allowed.
Returns how many of them exist and were written. Those that were offline are announced as by multica_heartbeat. One that a
  trigger or constraint of your own refuses is named in a WARNING and not counted; the others are written.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out UpdateAgentRuntimeHeartbeat, for many.$$;

COMMENT ON FUNCTION multica_set_runtime_offline(uuid) IS
$$Sets one runtime offline. When it was last seen stays as it is, and its tasks in flight are left to the next
sweep.
runtime_id: the runtime.
Returns true where it was online, false where it was offline already. Records daemon:register with action
  'deregister' where something changed.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55000 the tables are missing; 42501 no privilege on
  them.
Carries out SetAgentRuntimeOffline.$$;

COMMENT ON FUNCTION multica_deregister(uuid[]) IS
$$A daemon's good-bye before it exits: its runtimes go offline at once instead of after multica.stale_after. Tasks
in flight are left to the next sweep.
runtime_ids: the runtimes; unknown ones are passed over, an empty array is allowed.
Returns how many were online until now. Records one daemon:register with action 'deregister' per workspace. One that a
  trigger or constraint of your own refuses is named in a WARNING and stays online; the others go offline.
Errors: 22004 the array or an element is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out SetAgentRuntimeOffline, for many.$$;

COMMENT ON FUNCTION multica_mark_stale_runtimes_offline(double precision, integer) IS
$$Sets runtimes offline that are online and were not seen for too long. The first stage of multica_sweep, for
those who schedule stages by themselves. Rows that others hold are skipped, so a beat that arrives first wins.
stale_secs: seconds without a sign of life, above 0.
max_runtimes: at most so many, longest unseen first; NULL is no bound.
Returns one multica_runtime_ref a runtime set offline; one that was never seen is never stale. Records
  daemon:register with action 'stale_sweep'. Their tasks in flight are left to the next stage or sweep.
Errors: 22004 stale_secs is NULL; 22023 stale_secs is not a finite number above 0, or max_runtimes is below 0;
  55000 the tables are missing; 42501 no privilege on them.
Carries out MarkStaleRuntimesOffline.$$;
