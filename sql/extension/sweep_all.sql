-- A procedure that commits cannot have a SET clause, so every name has its schema, operators included. Verdicts come first, and are
-- committed when housekeeping begins. The number of parts is limited to the number of batches at the start, and the parts that it
-- takes to find a thousand refused rows, so that a steady stream of work does not keep the procedure running for ever.
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
    SELECT pg_catalog.div(pg_catalog.sum(left_over.many), pg_catalog.current_setting('multica.batch_size')::pg_catalog.numeric)::bigint
    INTO parts
    FROM (
        SELECT pg_catalog.count(*)::pg_catalog.numeric AS many
        FROM @extschema@.agent_task_queue AS t
        WHERE t.status OPERATOR(pg_catalog.<>) ALL ('{completed,failed,cancelled,queued,deferred}'::pg_catalog.text[])
        UNION ALL
        SELECT pg_catalog.count(*) FROM @extschema@.agent_runtime
        UNION ALL
        -- No event is smaller: more than this are not there. Ids may leap, so they do not tell.
        SELECT pg_catalog.div(pg_catalog.pg_relation_size('@extschema@.multica_event_log'::pg_catalog.regclass)::pg_catalog.numeric, 64)
        UNION ALL
        -- What is re-pointed before a runtime is deleted, runtime by runtime: the history is not read whole.
        SELECT pg_catalog.sum(h.many)
        FROM @extschema@.agent_runtime AS r
        CROSS JOIN LATERAL (
            SELECT pg_catalog.count(*) AS many
            FROM @extschema@.agent_task_queue AS t
            WHERE t.runtime_id OPERATOR(pg_catalog.=) r.id
        ) AS h
        WHERE r.status OPERATOR(pg_catalog.=) 'offline'::pg_catalog.text
          AND r.last_seen_at OPERATOR(pg_catalog.<) (
              pg_catalog.clock_timestamp()
              OPERATOR(pg_catalog.-) pg_catalog.current_setting('multica.runtime_ttl')::pg_catalog.interval
          )
          AND NOT EXISTS (SELECT FROM @extschema@.agent AS a WHERE a.runtime_id OPERATOR(pg_catalog.=) r.id)
    ) AS left_over;
    FOR nth IN 0 .. parts OPERATOR(pg_catalog.+) 102 LOOP
        part := @extschema@.multica_sweep_part(part, stale_secs);
        COMMIT;
        EXIT WHEN part OPERATOR(pg_catalog.=) 'none'::pg_catalog.text;
    END LOOP;
END
$procedure$;
