COMMENT ON FUNCTION multica_version() IS
$$Returns the version of the loaded library.
It takes no arguments.
Returns the version, such as '0.1.0'.
Errors: 55000 (update_needed) the SQL objects have another version than the library; the hint names what to run.$$;
