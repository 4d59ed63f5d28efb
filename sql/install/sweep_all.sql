-- A procedure that commits cannot carry a SET clause, so everything here is spelled with its schema, operators included.
-- The passes are bounded by the batches there are at the start: a steady stream of work does not keep it for ever.
CREATE PROCEDURE multica_sweep_all(stale_secs double precision DEFAULT NULL)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    again boolean;
    passes bigint;
BEGIN
    SELECT s.more INTO again FROM @extschema@.multica_sweep(stale_secs) AS s;
    COMMIT;
    IF NOT again THEN
        RETURN;
    END IF;
    SELECT pg_catalog.div(pg_catalog.count(*)::pg_catalog.numeric, pg_catalog.current_setting('multica.batch_size')::pg_catalog.numeric)::bigint
    INTO passes
    FROM (
        SELECT FROM @extschema@.agent_task_queue AS t
        WHERE t.status OPERATOR(pg_catalog.=) ANY ('{dispatched,running}'::pg_catalog.text[])
        UNION ALL
        SELECT FROM @extschema@.agent_runtime
        UNION ALL
        SELECT FROM @extschema@.multica_event_log
        UNION ALL
        SELECT FROM @extschema@.agent_task_queue AS t
        JOIN @extschema@.agent_runtime AS r ON r.id OPERATOR(pg_catalog.=) t.runtime_id
        WHERE r.status OPERATOR(pg_catalog.=) 'offline'::pg_catalog.text
          AND r.last_seen_at OPERATOR(pg_catalog.<) (
              pg_catalog.clock_timestamp()
              OPERATOR(pg_catalog.-) pg_catalog.current_setting('multica.runtime_ttl')::pg_catalog.interval
          )
    ) AS rows_left;
    FOR pass IN 0 .. passes LOOP
        SELECT s.more INTO again FROM @extschema@.multica_sweep(stale_secs) AS s;
        COMMIT;
        EXIT WHEN NOT again;
    END LOOP;
END
$procedure$;
