COMMENT ON FUNCTION multica_limit(text, text, integer) IS
$$Limits how many tasks of a runtime, a provider or a workspace are in flight at a time. multica_claim and multica_claim_many
obey the limit, at every isolation level and however many claims run at once. Tasks that are in flight already stay, and the
claim of a server does not know the limit. There is no limit until one is set; the table multica_claim_limit contains them.
scope: runtime, provider (of all workspaces) or workspace.
key: id of the runtime or workspace, or name of the provider, which is compared in lower case.
max_in_flight: maximum number of tasks in flight, 0 or more; 0 lets nothing be claimed. NULL (the default) removes the limit.
Returns true if the limit has changed.
Errors: 22004 scope or key is NULL; 22023 scope is none of these words, key is no id, is blank or has more than 1000 bytes, or
  max_in_flight is below 0; P0002 (no_runtime, no_workspace) the runtime or workspace does not exist; 55000 (install_needed)
  the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function: it limits agents only.$$;
