COMMENT ON FUNCTION multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid, uuid) IS
$$Inserts a runtime, or overwrites the one with the same workspace, daemon id and provider; with a profile, the one with the
same workspace, daemon id and profile. The runtime counts as seen now. A daemon that registers all its runtimes at once calls
multica_register instead.
workspace_id: id of the workspace.
daemon_id: id of the daemon, not blank, at most 1000 bytes; NULL only if runtime_mode is 'cloud', and then a new row is
  inserted each time.
name: name that people read.
runtime_mode: 'local' or 'cloud'.
provider: name of the provider, such as 'claude', not blank, at most 1000 bytes; with a profile, its provider is stored instead.
status: 'online' or 'offline'.
device_info: any text (default '').
metadata: an object that replaces the present one as a whole (default {}).
owner_id: id of the user that it belongs to; NULL (the default) keeps the present owner.
profile_id: id of the profile that it belongs to; NULL (the default) means none.
Returns multica_registered; merged is 0. Records daemon:register with action 'register'. Visibility and name that users have
  set are kept, and a new runtime gets the name that all other runtimes of the daemon have in common.
Errors: 22004 a required argument is NULL, device_info and metadata included; 22023 runtime_mode or status is not one of its
  values, or provider or daemon_id is blank or too long; P0002 (no_workspace, no_profile) the workspace does not exist, or
  has no such profile; 55000 (profile_disabled) the profile is disabled; 0A000 (no_profiles) profile_id is not NULL, and the
  database has no profiles; 23503 the owner does not exist; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Implements UpsertAgentRuntime.$$;
