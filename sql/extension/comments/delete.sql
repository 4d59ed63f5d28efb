COMMENT ON FUNCTION multica_delete_runtime(uuid, uuid[], uuid) IS
$$Deletes a runtime that is no longer wanted. Its tasks in flight are ended first, with all consequences. Tasks of agents that
are bound to another runtime move to that runtime. Open tasks of agents that have no runtime are cancelled, and their ended tasks
lose the runtime.
In the tables of a server whose agents can be without a runtime (feature unbound), the agents of the runtime lose it, archived
ones too: their open tasks are cancelled, their active autopilots and those of the squads that they lead are paused, and their
ended tasks lose the runtime. The system agents of the runtime are deleted. In other tables, archived agents that are bound to
it are deleted with their tasks, chats and autopilots; their tasks that no daemon has yet are cancelled first.
runtime_id: id of the runtime.
expected_agents: ids of the active agents that a user has agreed to unbind; NULL (the default) requires that there are none.
into_runtime_id: id of another runtime of the workspace, which gets the ended tasks of agents without a runtime, so that a
  server goes on counting what they have used; NULL (the default) detaches them.
Returns multica_runtime_deleted. Records daemon:register with action 'delete'.
Errors: 22004 runtime_id or an element of expected_agents is NULL; 22023 into_runtime_id is the runtime itself, or agents always
  have a runtime; P0002 (no_runtime) a runtime does not exist, or into_runtime_id is in another workspace; 55006 (in_use) agents
  that are not archived are bound to it and were not confirmed or cannot be unbound, they are not those in expected_agents, or a
  table of your own refers to it or to an agent that is deleted; 40001 other sessions hold agents, tasks or autopilots of the
  runtime, repeat the transaction; 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
Implements CountActiveAgentsByRuntime, DeleteArchivedAgentsByRuntime and DeleteAgentRuntime.$$;

COMMENT ON FUNCTION multica_delete_archived_agents(uuid) IS
$$Deletes the archived agents that are bound to a runtime, with their tasks, chats and autopilots. Their tasks in flight
are failed first, and those that no daemon has yet are cancelled, with all consequences. multica_delete_runtime does not need
it. It is refused in the tables of a server whose agents can be without a runtime (feature unbound): such a server keeps archived
agents and their history.
runtime_id: id of the runtime.
Returns the number of deleted agents.
Errors: 22004 runtime_id is NULL; P0002 (no_runtime) the runtime does not exist; 55006 (in_use) a table of your own refers
  to one of the agents; 40001 other sessions hold agents or tasks of the runtime, repeat the transaction; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements DeleteArchivedAgentsByRuntime.$$;
