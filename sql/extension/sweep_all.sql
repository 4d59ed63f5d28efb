-- A procedure that commits cannot have a SET clause, so every name has its schema, operators included. Verdicts come first, and are
-- committed when housekeeping begins. The number of parts is limited to what was due at the start, so that a steady stream of work
-- does not keep the procedure running for ever.
CREATE PROCEDURE multica_sweep_all(stale_secs double precision DEFAULT NULL)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    part pg_catalog.text;
    parts bigint;
BEGIN
    part := @extschema@.multica_sweep_part('verdicts', stale_secs);
    IF NOT @extschema@.multica_can_commit() THEN
        RAISE EXCEPTION 'multica_sweep_all cannot commit inside a transaction block or a function'
        USING ERRCODE = 'invalid_transaction_termination',
            HINT = 'CALL it outside a transaction, with autocommit on in drivers that open transactions, or run '
                'SELECT * FROM multica_sweep() until more is false.';
    END IF;
    COMMIT;
    IF part OPERATOR(pg_catalog.=) 'housekeeping'::pg_catalog.text THEN
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
    END IF;
    IF part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text THEN
        RETURN;
    END IF;
    parts := @extschema@.multica_count_sweep_parts();
    FOR nth IN 0 .. parts LOOP
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
        EXIT WHEN part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text;
    END LOOP;
END
$procedure$;
