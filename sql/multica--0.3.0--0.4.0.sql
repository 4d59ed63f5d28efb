-- 0.4.0. Afterwards run SELECT * FROM multica_install().

-- A server that still runs the library of 0.3.0 does not have this symbol: the update is refused and changes nothing.
DO $library$
BEGIN
    CREATE FUNCTION @extschema@.multica_is_0_4_0_or_later() RETURNS void
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'multica_is_0_4_0_or_later_wrapper';
    DROP FUNCTION @extschema@.multica_is_0_4_0_or_later();
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'the loaded library of multica is older than version 0.4.0'
    USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Install the newer package, restart the server if it preloads multica, reconnect, then run '
            'ALTER EXTENSION multica UPDATE; again.';
END
$library$;

COMMENT ON FUNCTION multica_install(boolean) IS
$$Creates the tables that are missing in the extension's schema and adopts those that exist. Run it after CREATE EXTENSION
and after every ALTER EXTENSION UPDATE; a second run changes nothing. It adopts the tables of a server from migration 055
on. To an adopted table it adds at most the columns of migration 055 where they are missing, the index of the pending slot
and indexes and a trigger named multica_*. It never drops or rewrites data.
What it made itself (defaults, comments, triggers and their functions, privileges) is made again where it is missing or
different. In tables that it created, it also moves issue counters that are behind. An event log whose ids cannot continue
restarts.
dry_run: true changes nothing and lists what would be done (default false).
Returns one multica_install_step per object. The action is created, adopted, altered, missing (an object that the
owner may add) or reported (a finding that the owner should repair).
Errors: 22004 dry_run is NULL; 55000 (table_conflict) a table of that name does not belong to Multica, a column has another
  type, or an index of that name is a different one; 55000 (schema_renamed) the extension's schema was renamed;
  55000 (update_needed) library and SQL objects have different versions; 0A000 (unknown_schema) the
  runtimes have a unique key that no generation of the server has; 0A000 (wrong_encoding) the encoding of the database is not UTF8; 42501 the
  caller does not own the tables, they belong to several roles, or a privilege is missing; 55P03 a lock could not be
  acquired within lock_timeout (5 s unless set). After an error nothing has changed.
It complements the server's own migrations.$$;

COMMENT ON TYPE multica_install_step IS
$$One object that multica_install handled: object (its name); action (created, altered, adopted; missing: an adopted table lacks
it and its owner may add it; reported: its owner should repair it); ddl (the statement that was run or would be run, or that
repairs it; NULL if there is none).$$;
