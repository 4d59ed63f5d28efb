COMMENT ON FUNCTION multica_version() IS
$$Returns the version of the loaded library.
It takes no arguments.
Returns the version, such as '0.1.0'.
Errors: 55000 SQL objects and library have different versions; the hint says what to run.$$;
