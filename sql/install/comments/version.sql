COMMENT ON FUNCTION multica_version() IS
$$The version of the loaded library.
It takes no arguments.
Returns the version, such as '0.1.0'.
Errors: 55000 the SQL objects are of another version than the library; the hint says what to run.$$;
