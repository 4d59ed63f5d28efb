COMMENT ON FUNCTION multica_list_runtimes(uuid) IS
$$Lists the runtimes of a workspace, oldest first, whatever their status.
workspace_id: id of the workspace; one that does not exist has no runtimes.
Returns one multica_runtime per runtime.
Errors: 22004 workspace_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is
  missing.
Implements ListAgentRuntimes.$$;

COMMENT ON FUNCTION multica_list_runtimes_by_owner(uuid, uuid) IS
$$Lists the runtimes of a workspace that belong to one user, oldest first.
workspace_id: id of the workspace.
owner_id: id of the user.
Returns one multica_runtime per runtime.
Errors: 22004 an argument is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements ListAgentRuntimesByOwner.$$;

COMMENT ON FUNCTION multica_get_runtime(uuid) IS
$$Returns one runtime, of any workspace.
runtime_id: id of the runtime.
Returns one multica_runtime, or no row if it does not exist.
Errors: 22004 runtime_id is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements GetAgentRuntime.$$;

COMMENT ON FUNCTION multica_get_runtime_for_workspace(uuid, uuid) IS
$$Returns one runtime if it belongs to the given workspace. Call it before you bind an agent to the runtime.
runtime_id: id of the runtime.
workspace_id: id of the workspace that it must belong to.
Returns one multica_runtime, or no row if it does not exist or belongs to another workspace.
Errors: 22004 an argument is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements GetAgentRuntimeForWorkspace.$$;

COMMENT ON FUNCTION multica_find_legacy_runtimes(uuid, text, text) IS
$$Finds every runtime that one daemon may have left behind under spellings of its daemon id that differ in case.
workspace_id: id of the workspace.
provider: name of the provider; it must match exactly.
daemon_id: the daemon id to look for, in any case.
Returns one multica_runtime per match, oldest first; the daemon's present runtime may be among them.
Errors: 22004 an argument is NULL; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements FindLegacyRuntimesByDaemonID.$$;

COMMENT ON FUNCTION multica_count_active_agents(uuid) IS
$$Counts the agents that are not archived and are bound to a runtime. While there is one, the runtime cannot be deleted.
runtime_id: id of the runtime.
Returns the number of agents.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 55000 (install_needed) the tables are
  missing; 42501 a privilege on the tables is missing.
Implements CountActiveAgentsByRuntime.$$;
