COMMENT ON FUNCTION multica_delete_runtime(uuid) IS
$$Deletes a runtime. Its tasks in flight are failed first, with retries and all other consequences. Archived agents that are
bound to it are deleted with their tasks, chats and autopilots. Tasks of agents that are bound to other runtimes move
there.
runtime_id: the runtime.
Returns multica_runtime_deleted. Records daemon:register with action 'delete'.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55006 agents that are not archived are bound to it, or a
  table of yours refers to it or to one of the archived agents; 55000 the tables are missing; 42501 no privilege on them.
Carries out CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION multica_delete_archived_agents(uuid) IS
$$Deletes the archived agents bound to a runtime, with their tasks, chats and autopilots. Their tasks in
flight are failed first, with all consequences.
runtime_id: the runtime.
Returns how many agents were deleted.
Errors: 22004 runtime_id is NULL; P0002 no such runtime; 55006 a table of yours refers to one of them; 55000 the
  tables are missing; 42501 no privilege on them.
Carries out DeleteArchivedAgentsByRuntime.$$;
