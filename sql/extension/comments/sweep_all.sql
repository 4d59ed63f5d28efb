COMMENT ON FUNCTION multica_can_commit() IS
$$Returns whether the procedure that calls it can commit; multica_sweep_all checks it first.
It takes no arguments.
Returns true in a procedure or DO block that was called outside a transaction block, and false everywhere else.
Errors: none.
The server has no counterpart.$$;
