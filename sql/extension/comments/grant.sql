COMMENT ON FUNCTION multica_grant(regrole, text) IS
$$Gives a role the functions and privileges of a capability.
grantee: the role.
capability: reader (lists, lookups, status, metrics, events), daemon (register, heartbeat, claim, start, pin, complete, fail,
and the lookups that a daemon needs) or operator (every function).
Grants USAGE on the schema, EXECUTE on the functions, and on the tables no more than their statements need, by column
where that is enough. May run before multica_install, which then grants what concerns the tables. What was granted is
stored in the privileges alone: REVOKE or DROP OWNED takes it back.
Returns nothing.
Errors: 22004 an argument is NULL; 22023 capability is another word; P0002 there is no role of that number; 42501 the
caller is neither a superuser nor the owner of the extension, or must not grant on the tables; 55000 library and SQL
objects have different versions.$$;
