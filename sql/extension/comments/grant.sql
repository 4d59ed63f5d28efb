COMMENT ON FUNCTION multica_grant(regrole, text) IS
$$Grants a capability to a role, which lets it use the extension.
grantee: the role.
capability: 'reader' (lists, lookups, status, metrics, events), 'daemon' (register, send heartbeats, claim, start, pin,
  complete, fail, and the lookups that a daemon needs) or 'operator' (every function).
It grants USAGE on the schema, EXECUTE on the functions, and on the tables only what their statements need, by column where
that is enough. It may run before multica_install, which then grants the privileges on the tables. A capability is stored
only as privileges: REVOKE or DROP OWNED removes it.
Returns nothing.
Errors: 22004 an argument is NULL; 22023 capability is not one of these words; P0002 (no_role) no role has that OID;
  42501 the caller is neither a superuser nor the owner of the extension, or may not grant privileges on the tables;
  55000 (update_needed) library and SQL objects have different versions.$$;
