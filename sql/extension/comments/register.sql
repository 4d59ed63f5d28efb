COMMENT ON FUNCTION multica_register(uuid, jsonb, uuid) IS
$$Registers a machine when its daemon starts: all runtimes that it offers, or none if an entry is wrong. Runtimes that it
has under earlier identities are merged into the new ones as by multica_merge_legacy.
workspace_id: the workspace.
registration: an object; unknown keys are ignored, and named in a WARNING.
  daemon_id: identity of the machine, required, not blank, at most 1000 bytes.
  legacy_daemon_ids: earlier identities, in any case.
  device_name, cli_version, launched_by: text that is kept with the runtimes.
  recover: true fails the tasks that the previous process left in flight, as by multica_recover_orphans.
  runtimes: at least one object with type or provider (which mean the same, each at most once, at most 1000 bytes), name
    (made from it and device_name where missing), version, status ('online' where missing, or 'offline'), running (ids
    of tasks that the daemon still works on: no orphans).
owner_id: the user to whom the runtimes belong; NULL keeps the present owners.
Returns one multica_registered per runtime, in the order given. Records one daemon:register with action 'register'. A
  runtime of an earlier identity that something of yours refers to stays, without its agents and tasks, and a task that
  cannot be written stays in flight; a WARNING names each.
Errors: 22004 workspace_id or registration is NULL; 22023 registration is malformed, the message names the path in
  it; P0002 no such workspace; 23503 no such owner; 55000 the tables are missing; 42501 no privilege on them.
Carries out UpsertAgentRuntime for each runtime, the merge, and the recovery that a restarted daemon asks for.$$;
