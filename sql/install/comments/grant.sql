COMMENT ON FUNCTION multica_grant(regrole, text) IS
$$Lets a role use a part of the extension: EXECUTE on the functions of that part, and on the tables no more than their
statements need. It is kept nowhere but in these privileges, and may be given before there are tables:
multica_install then grants what concerns them. To take it back, REVOKE.
grantee: the role.
capability: 'reader' (lists, lookups, events, status), 'daemon' (register and beat, claim to complete or fail) or
  'operator' (everything).
Returns nothing.
Errors: 22004 an argument is NULL; 22023 another capability; P0002 no such role; 42501 the caller is neither a superuser
  nor the owner of the extension and of the tables; 55000 library and SQL objects are of different versions.
The server has nothing like it: it is the only role of its database.$$;
