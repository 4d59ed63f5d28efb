COMMENT ON FUNCTION multica_can_commit() IS
$$Reports whether the procedure that calls it may commit. multica_sweep_all asks this before it commits.
It takes no arguments.
Returns true in a procedure or DO block that was called outside a transaction block, and false everywhere else.
Errors: none.
The server has no such function.$$;
