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

COMMENT ON FUNCTION multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid) IS
$$Inserts a runtime, or overwrites the one with the same workspace, daemon id and provider. The runtime counts as seen now.
A daemon that registers all its runtimes at once calls multica_register instead.
workspace_id: id of the workspace.
daemon_id: id of the daemon, not blank, at most 1000 bytes; NULL only if runtime_mode is 'cloud', and then a new row is
  inserted each time.
name: name that people read.
runtime_mode: 'local' or 'cloud'.
provider: name of the provider, such as 'claude', not blank, at most 1000 bytes.
status: 'online' or 'offline'.
device_info: any text (default '').
metadata: an object that replaces the present one as a whole (default {}).
owner_id: id of the user that it belongs to; NULL (the default) keeps the present owner.
Returns multica_registered; merged is 0. Records daemon:register with action 'register'.
Errors: 22004 a required argument is NULL, device_info and metadata included; 22023 runtime_mode or status is not one of its
  values, or provider or daemon_id is blank or too long; P0002 (no_workspace) the workspace does not exist; 23503 the owner
  does not exist; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements UpsertAgentRuntime.$$;
