COMMENT ON FUNCTION multica_list_runtimes(uuid) IS
$$Returns the runtimes of a workspace, oldest first, whatever their status.
workspace_id: the workspace; one that does not exist has no runtimes.
Returns one multica_runtime per runtime.
Errors: 22004 workspace_id is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out ListAgentRuntimes.$$;

COMMENT ON FUNCTION multica_list_runtimes_by_owner(uuid, uuid) IS
$$Returns the runtimes of a workspace that belong to one user, oldest first.
workspace_id: the workspace.
owner_id: the user.
Returns one multica_runtime per runtime.
Errors: 22004 an argument is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out ListAgentRuntimesByOwner.$$;

COMMENT ON FUNCTION multica_get_runtime(uuid) IS
$$Returns one runtime, of any workspace.
runtime_id: the runtime.
Returns one multica_runtime, or no row if it does not exist.
Errors: 22004 runtime_id is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out GetAgentRuntime.$$;

COMMENT ON FUNCTION multica_get_runtime_for_workspace(uuid, uuid) IS
$$Returns one runtime if it belongs to the given workspace: the check before an agent is bound to it.
runtime_id: the runtime.
workspace_id: the workspace to which it must belong.
Returns one multica_runtime, or no row if it does not exist or belongs to another workspace.
Errors: 22004 an argument is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out GetAgentRuntimeForWorkspace.$$;

COMMENT ON FUNCTION multica_find_legacy_runtimes(uuid, text, text) IS
$$Returns every runtime of one machine, under spellings of its daemon id that differ in case.
workspace_id: the workspace.
provider: the provider, exactly.
daemon_id: the identity to look for, in any case.
Returns one multica_runtime per match, oldest first; the machine's present runtime may be among them.
Errors: 22004 an argument is NULL; 55000 the tables are missing; 42501 no privilege on them.
Carries out FindLegacyRuntimesByDaemonID.$$;

COMMENT ON FUNCTION multica_count_active_agents(uuid) IS
$$Returns how many agents that are not archived are bound to a runtime. While there is one, the runtime cannot be deleted.
runtime_id: the runtime.
Returns the number.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55000 the tables are missing; 42501 no privilege on
  them.
Carries out CountActiveAgentsByRuntime.$$;

COMMENT ON FUNCTION multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid) IS
$$Inserts a runtime, or overwrites the one of the same workspace, daemon id and provider. It counts as seen now. A
daemon that registers all its runtimes at once calls multica_register instead.
workspace_id: the workspace.
daemon_id: identity of the machine, not blank, at most 1000 bytes; NULL only where runtime_mode is 'cloud', and then a
  new row is inserted each time.
name: the name that people see.
runtime_mode: 'local' or 'cloud'.
provider: such as 'claude', not blank, at most 1000 bytes.
status: 'online' or 'offline'.
device_info: free text.
metadata: an object, replaced as a whole.
owner_id: the user to whom it belongs; NULL keeps the present owner.
Returns multica_registered; merged is 0. Records daemon:register with action 'register'.
Errors: 22004 a required argument is NULL, device_info and metadata included; 22023 runtime_mode or status
  outside its set, provider or daemon_id blank or too long; P0002 no such workspace; 23503 no such owner; 55000 the tables
  are missing; 42501 no privilege on them.
Carries out UpsertAgentRuntime.$$;
