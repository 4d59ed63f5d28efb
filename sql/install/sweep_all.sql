-- A procedure that commits cannot carry a SET clause, so everything here is spelled with its schema. In use are only
-- operators of pg_catalog.
CREATE PROCEDURE multica_sweep_all(stale_secs double precision DEFAULT NULL)
LANGUAGE plpgsql
AS $procedure$
DECLARE
    again boolean;
    passes bigint;
BEGIN
    SELECT s.more INTO again FROM @extschema@.multica_sweep(stale_secs) AS s;
    SELECT pg_catalog.div(pg_catalog.count(*)::numeric, pg_catalog.current_setting('multica.batch_size')::numeric)::bigint
    INTO passes
    FROM (
        SELECT FROM @extschema@.agent_task_queue AS t
        WHERE t.status OPERATOR(pg_catalog.=) ANY ('{dispatched,running}'::pg_catalog.text[])
        UNION ALL
        SELECT FROM @extschema@.agent_runtime
    ) AS rows_left;
    COMMIT;
    FOR pass IN 0 .. passes LOOP
        EXIT WHEN NOT again;
        SELECT s.more INTO again FROM @extschema@.multica_sweep(stale_secs) AS s;
        COMMIT;
    END LOOP;
END
$procedure$;
