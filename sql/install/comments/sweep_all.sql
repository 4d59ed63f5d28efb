COMMENT ON FUNCTION multica_can_commit() IS
$$Whether the procedure that calls it may commit; multica_sweep_all asks before it does.
It takes no arguments.
Returns true in a procedure or DO block that was called outside a transaction block, and false everywhere else.
Errors: none.
The server has nothing like it.$$;
