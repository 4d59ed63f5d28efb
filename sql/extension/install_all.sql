-- A procedure that commits cannot have a SET clause, so every name has its schema, operators included. Install needs at most five
-- calls for a table of any size; the limit ends the procedure if something keeps a call from doing its part.
CREATE PROCEDURE multica_install_all(build boolean DEFAULT false)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    is_left pg_catalog.bool;
BEGIN
    FOR nth IN 1 .. 10 LOOP
        SELECT pg_catalog.bool_or(s.action OPERATOR(pg_catalog.=) 'next'::pg_catalog.text) INTO is_left
        FROM @extschema@.multica_install(false, build) AS s;
        IF NOT @extschema@.multica_can_commit() THEN
            RAISE EXCEPTION 'multica_install_all cannot commit inside a transaction block or a function'
            USING ERRCODE = 'invalid_transaction_termination',
                HINT = 'CALL it outside a transaction, with autocommit on in drivers that open transactions, or run '
                    'SELECT * FROM multica_install() until no row has the action next.';
        END IF;
        COMMIT;
        EXIT WHEN NOT is_left;
    END LOOP;
END
$procedure$;
