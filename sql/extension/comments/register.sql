COMMENT ON FUNCTION multica_register(uuid, jsonb, uuid) IS
$$Registers the runtimes that a daemon offers, when the daemon starts: all of them or, if one entry is wrong, none. The
daemon's runtimes under earlier daemon ids are merged into the new ones, as by multica_merge_legacy.
workspace_id: id of the workspace.
registration: an object; unknown keys are ignored, and a WARNING names them.
  daemon_id: id of the daemon, required, not blank, at most 1000 bytes.
  legacy_daemon_ids: earlier daemon ids, in any case.
  device_name, cli_version, launched_by: text that is stored with the runtimes.
  capabilities: a list of texts that is stored in the metadata of the runtimes.
  incarnation: a uuid that the daemon process makes once, at its start. From then on the runtimes belong to this process: the
    process that registered them before gets 55000 (superseded) from every call to which it passes its own incarnation.
    Without this key nothing is stored and nothing is replaced.
  recover: true fails the tasks that the previous process left in flight, as by multica_recover_orphans.
  runtimes: objects with these keys: type or provider (they mean the same; at most 1000 bytes, stored in lower case, each
    provider only once), profile_id (id of the profile that the runtime belongs to; the provider of the profile is stored, and
    each profile is listed only once), name (if missing, it is made from the provider or the name of the profile, and
    device_name), version, status ('online' if missing, or 'offline'), running (ids of tasks that the daemon is still running;
    they are not orphans).
  failed_profiles: objects with these keys: profile_id, command_name, reason; for each profile whose runtime could not be
    started, an offline runtime is stored, with both texts in its metadata. At least one runtime or failed profile is required.
owner_id: id of the user that the runtimes belong to; NULL (the default) keeps the present owners.
Returns one multica_registered per runtime, in the order of the registration. Records one daemon:register with action
  'register', and in replaced_incarnations the incarnation that was replaced, by runtime. A runtime of an earlier daemon id that one of your own tables refers to stays, without its agents and tasks; a
  task that cannot be written stays in flight; a WARNING names each. If other sessions hold agents or tasks each time the call
  tries to lock them, old runtimes and tasks stay as they are, with a WARNING. Runtimes of profiles are not merged.
Errors: 22004 workspace_id or registration is NULL; 22023 registration is malformed, and the message names the path in it;
  P0002 (no_workspace, no_profile) the workspace does not exist, or has no profile that a runtime names;
  55000 (profile_disabled) such a profile is disabled; 55000 (superseded) a later registration has replaced this
  incarnation: stop; 0A000 (no_profiles) a runtime names a profile, and the database has
  none; 23503 the owner does not exist; 55000 (install_needed) the tables are missing; 0A000 (unsupported_feature) the
  registration has "recover", which does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements UpsertAgentRuntime for each runtime, the merge, and the recovery that a restarted daemon asks for.$$;
