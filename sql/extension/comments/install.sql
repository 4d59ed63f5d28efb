COMMENT ON FUNCTION multica_install(boolean) IS
$$Creates the tables that are missing in the extension's schema and adopts those that are there. Run it after
CREATE EXTENSION and after every ALTER EXTENSION UPDATE; a second run changes nothing. To an adopted table it
adds at most the columns of the server's migration 055, the pending slot's index and indexes named multica_*. It
never drops or rewrites data. What it made itself (defaults, comments, triggers, their functions, privileges) is made
again if it is missing or different. Counters of issue numbers that are behind are moved forward, and an event log whose
ids cannot continue restarts.
dry_run: true changes nothing and lists what would be done.
Returns one multica_install_step per object.
Errors: 22004 dry_run is NULL; 55000 a table of that name is not Multica's, a column has another type, an index
  of that name is different, or library and SQL objects have different versions; 0A000 the schema is of a
  generation that this version does not understand, or the database is not in UTF8; 42501 the caller does not own the tables, they belong to
  several roles, or a privilege is missing; 55P03 a lock was not granted within lock_timeout (5 s unless set).
  Then nothing was changed.
It stands beside the server's own migrations, up to 055.$$;
