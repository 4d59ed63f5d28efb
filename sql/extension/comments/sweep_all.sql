COMMENT ON FUNCTION multica_can_commit() IS
$$Reports whether the procedure that calls it may commit. multica_sweep_all asks this before it commits.
It takes no arguments.
Returns true in a procedure or DO block that was called outside a transaction block, and false everywhere else.
Errors: none.
The server has no such function.$$;

COMMENT ON FUNCTION multica_count_sweep_parts() IS
$$Returns how many parts a sweep of everything that is due has at most. multica_sweep_all stops after this number.
It takes no arguments.
Returns the number.
Errors: 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function.$$;
