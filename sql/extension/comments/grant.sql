COMMENT ON FUNCTION multica_grant(regrole, text) IS
$$Grants a capability to a role, which lets it use the extension.
grantee: the role.
capability: 'reader' (lists, lookups, status, metrics, events), 'daemon' (register, send heartbeats, claim, start, pin,
  complete, fail, and the lookups that a daemon needs) or 'operator' (every function).
It grants USAGE on the schema and EXECUTE on the functions, and nothing on the tables: a call acts as the owner of the
tables. Where a table has row-level security, calls may run with the privileges of their caller. Then it also grants what
their statements need on the tables, by column where that is enough. It may run before multica_install. A capability is
stored only as privileges: multica_revoke, REVOKE or DROP OWNED removes it.
Returns nothing.
Errors: 22004 an argument is NULL; 22023 capability is not one of these words; P0002 (no_role) no role has that OID;
  42501 the caller is neither a superuser nor the owner of the extension, or may not grant privileges on the tables;
  55000 (update_needed) library and SQL objects have different versions.$$;

COMMENT ON FUNCTION multica_revoke(regrole, text) IS
$$Takes a capability from a role, and the privileges on tables that versions before 0.4.0 granted for it.
grantee: the role.
capability: 'reader', 'daemon' or 'operator'. Operator includes the other two, which cannot be taken from an operator.
It revokes what the owners of the functions and tables granted, except what another capability of the role needs. USAGE on
the schema stays. A NOTICE names the privileges that other roles granted, and says so if the role does not have the
capability.
Returns nothing.
Errors: 22004 an argument is NULL; 22023 capability is not one of these words; P0002 (no_role) no role has that OID;
  42501 the caller is neither a superuser nor the owner of the extension, or may not revoke privileges on the tables;
  55000 (update_needed) library and SQL objects have different versions.$$;
