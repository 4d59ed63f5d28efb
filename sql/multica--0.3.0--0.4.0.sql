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
