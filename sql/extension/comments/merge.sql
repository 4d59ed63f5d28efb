COMMENT ON FUNCTION multica_merge_legacy(uuid, text, text, uuid) IS
$$Merges the runtimes that a machine has under an earlier identity into its present one: agents and tasks, finished ones
included, move there, the identity is stored, and the old rows are deleted. All of it is one transaction in which both
runtimes are locked: a task that is being queued on the old one moves too, or its insert fails.
workspace_id: the workspace.
provider: the provider.
daemon_id: the earlier identity; rows that differ from it only in case match.
into_runtime_id: the runtime that stays; NULL merges the matches themselves, into the one spelt exactly like
  daemon_id, otherwise into the one seen last.
Returns multica_merged; merged is 0 if nothing matched. Records daemon:register with action 'merge'. A runtime that
  something of yours refers to stays, without its agents and tasks; a WARNING names it.
Errors: 22004 workspace_id, provider or daemon_id is NULL; P0002 no such workspace, or into_runtime_id is not a
  runtime of this workspace and provider; 55000 the tables are missing; 42501 no privilege on them.
Carries out FindLegacyRuntimesByDaemonID, ReassignAgentsToRuntime, ReassignTasksToRuntime,
  RecordRuntimeLegacyDaemonID and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION multica_reassign_agents(uuid, uuid) IS
$$Binds every agent of one runtime, archived ones included, to another runtime of the same workspace. Tasks stay
where they are.
old_runtime_id: the runtime that they leave.
new_runtime_id: the runtime that they move to.
Returns how many agents moved.
Errors: 22004 an argument is NULL; P0002 one of them does not exist, or they are of different workspaces; 55000
  the tables are missing; 42501 no privilege on them.
Carries out ReassignAgentsToRuntime.$$;

COMMENT ON FUNCTION multica_reassign_tasks(uuid, uuid) IS
$$Moves every task of one runtime, finished ones included, to another runtime of the same workspace. Agents stay
where they are.
old_runtime_id: the runtime that they leave.
new_runtime_id: the runtime that they move to.
Returns how many tasks moved.
Errors: 22004 an argument is NULL; P0002 one of them does not exist, or they are of different workspaces; 55000
  the tables are missing; 42501 no privilege on them.
Carries out ReassignTasksToRuntime.$$;

COMMENT ON FUNCTION multica_record_legacy_daemon_id(uuid, text) IS
$$Stores an earlier identity of a runtime, so that it can be seen later under which name a machine was known. The first one
stays.
runtime_id: the runtime.
legacy_daemon_id: the earlier identity.
Returns true if it was stored, false if there was one.
Errors: 22004 an argument is NULL; 22023 legacy_daemon_id is blank; P0002 no such runtime; 55000 the tables are
  missing; 42501 no privilege on them.
Carries out RecordRuntimeLegacyDaemonID.$$;
