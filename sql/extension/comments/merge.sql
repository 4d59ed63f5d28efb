COMMENT ON FUNCTION multica_merge_legacy(uuid, text, text, uuid) IS
$$Merges the runtimes that a daemon left behind under an earlier daemon id into its present one. Agents and tasks, ended
tasks included, and chat sessions that refer to the old runtimes, move there; the earlier id is stored; the old rows are
deleted. Runtimes of profiles are left out. All of this happens in one transaction that locks both sides: a task that is
being queued on the old runtime moves too, or its INSERT fails.
workspace_id: id of the workspace.
provider: name of the provider.
daemon_id: the earlier daemon id; it matches rows that differ from it only in case.
into_runtime_id: id of the runtime that stays; NULL (the default) merges the matching runtimes into the one spelled exactly
  like daemon_id, or else into the one that was seen last.
Returns multica_merged; merged is 0 if nothing matched. Records daemon:register with action 'merge'. A runtime that one of
  your own tables refers to stays, without its agents and tasks; a WARNING names it. The runtime that stays gets the owner,
  metadata and name of the old ones if it has none. If both have a system agent of one key, its work goes to the one that
  stays, unless one of the two was archived before: this one only loses its key. The process that had registered an old
  runtime counts as replaced by that of the runtime that stays.
Errors: 22004 workspace_id, provider or daemon_id is NULL; P0002 (no_workspace, no_runtime) the workspace does not exist, or
  into_runtime_id is not a runtime of this workspace and provider or belongs to a profile; 40001 other sessions hold agents
  or tasks of the runtime, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a
  privilege on the tables is missing.
Implements FindLegacyRuntimesByDaemonID, ReassignAgentsToRuntime, ReassignTasksToRuntime, RecordRuntimeLegacyDaemonID and
  DeleteAgentRuntime.$$;

COMMENT ON FUNCTION multica_reassign_agents(uuid, uuid) IS
$$Binds every agent of one runtime, archived ones included, to another runtime of the same workspace. Tasks stay where they
are.
old_runtime_id: id of the runtime that the agents leave.
new_runtime_id: id of the runtime that the agents move to.
Returns the number of agents that moved. A system agent whose key another one has there is archived first, and its work goes
  to that one, unless one of the two was archived before: this one only loses its key. If this is not possible, the agent
  stays, and a WARNING says so. Records daemon:register with action 'reassign' and the new runtime if agents have moved.
Errors: 22004 an argument is NULL; P0002 (no_runtime) one of the runtimes does not exist, or they are in different
  workspaces; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements ReassignAgentsToRuntime.$$;

COMMENT ON FUNCTION multica_reassign_tasks(uuid, uuid) IS
$$Moves every task of one runtime, ended ones included, to another runtime of the same workspace. Agents stay where they
are.
old_runtime_id: id of the runtime that the tasks leave.
new_runtime_id: id of the runtime that the tasks move to.
Returns the number of tasks that moved. Records daemon:register with action 'reassign' and the new runtime if tasks have moved.
Errors: 22004 an argument is NULL; P0002 (no_runtime) one of the runtimes does not exist, or they are in different
  workspaces; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000 (install_needed) the
  tables are missing; 42501 a privilege on the tables is missing.
Implements ReassignTasksToRuntime.$$;

COMMENT ON FUNCTION multica_record_legacy_daemon_id(uuid, text) IS
$$Stores an earlier daemon id of a runtime, so that it remains visible where the runtime came from. Only the first one is
stored.
runtime_id: id of the runtime.
legacy_daemon_id: the earlier daemon id, not blank.
Returns true if it was stored, false if the runtime already had one.
Errors: 22004 an argument is NULL; 22023 legacy_daemon_id is blank; P0002 (no_runtime) the runtime does not exist;
  55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements RecordRuntimeLegacyDaemonID.$$;
