COMMENT ON FUNCTION multica_delete_runtime(uuid) IS
$$Deletes a runtime that is no longer wanted. Its tasks in flight are failed first, with retries and all other
consequences. Archived agents that are bound to it are deleted with their tasks, chats and autopilots. Tasks of agents that
are bound to another runtime move to that runtime.
runtime_id: id of the runtime.
Returns multica_runtime_deleted. Records daemon:register with action 'delete'.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 55006 (in_use) agents that are not archived
  are bound to it, or a table of your own refers to it or to one of the archived agents; 40001 other sessions hold agents or
  tasks of the runtime, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature)
  the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION multica_delete_archived_agents(uuid) IS
$$Deletes the archived agents that are bound to a runtime, with their tasks, chats and autopilots. Their tasks in flight
are failed first, with all consequences.
runtime_id: id of the runtime.
Returns the number of deleted agents.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 55006 (in_use) a table of your own refers
  to one of the agents; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements DeleteArchivedAgentsByRuntime.$$;
