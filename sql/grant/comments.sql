COMMENT ON FUNCTION multica_grant(regrole, text) IS
'lets role grantee use the extension; capability is reader (lists, lookups, status, events), daemon (register, beat, '
'claim, start, complete, fail) or operator (everything): EXECUTE on the functions and no more on the tables than their '
'statements need. May be given before multica_install, which then grants what concerns the tables. Errors: 22004 when '
'an argument is NULL, 22023 for another capability, P0002 when grantee is no role, 42501 when the caller is neither a '
'superuser nor the owner of the extension or of the tables, 55000 when library and SQL objects differ';
