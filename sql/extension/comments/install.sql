COMMENT ON FUNCTION multica_install(boolean, boolean) IS
$$Creates the tables that are missing in the extension's schema and adopts those that exist. Run it after CREATE EXTENSION
and after every ALTER EXTENSION UPDATE, again and again while its last row has the action next; after that, a call changes
nothing. It adopts the tables of a server from migration 055 on. To an adopted table it adds at most the columns of migration
055 where they are missing, the index of the pending slot and indexes and a trigger named multica_*. Tables that an earlier
version created get the columns, checks and indexes of this version; former indexes are dropped when the new ones are there.
It never drops or rewrites data.
A call that alters a table of more than 10,000 rows scans no table and builds no index; the next call does. It takes all
locks at once, and waits for none in the way of other sessions.
What it made itself (defaults, comments, triggers and their functions, privileges) is made again where it is missing or
different. In tables that it created, it also moves issue counters that are behind. An event log whose ids cannot continue
restarts.
dry_run: true changes nothing and lists what would be done (default false).
build: true also builds indexes of tables with more than multica.build_limit rows, to which no other session can write
  meanwhile (default false: they are listed as missing, with a CREATE INDEX CONCURRENTLY).
Returns one multica_install_step per object. The action is created, adopted, altered, dropped, missing (an object that the
owner may add), reported (a finding that the owner should repair), or next (in the last row: run multica_install() again).
Errors: 22004 an argument is NULL; 55000 (table_conflict) a table of that name does not belong to Multica, a column has another
  type, or an index of that name is a different one; 55000 (schema_renamed) the extension's schema was renamed;
  55000 (update_needed) library and SQL objects have different versions; 0A000 (unknown_schema) the
  runtimes have a unique key that no generation of the server has; 0A000 (wrong_encoding) the encoding of the database is not UTF8; 42501 the
  caller does not own the tables, they belong to several roles, or a privilege is missing; 55P03 the locks could not be
  acquired within lock_timeout (5 s unless set). After an error nothing has changed.
It complements the server's own migrations.$$;

COMMENT ON PROCEDURE multica_install_all(boolean) IS
$$Runs multica_install() until nothing is left for a next call, and commits after each call: CALL multica_install_all().
Because it commits, it cannot run inside a transaction block, in a function, or over a connection that opens transactions by
itself (psycopg: set autocommit).
build: as for multica_install.
Returns nothing; SELECT * FROM multica_install(dry_run => true) shows what is there.
Errors: 22004 build is NULL; 2D000 it was called inside a transaction block; 42501 the caller does not own the tables, or a
  privilege is missing; the other errors of multica_install. Calls that were committed stay.
It complements the server's own migrations.$$;
