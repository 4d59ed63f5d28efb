-- The statement of a heartbeat in a PL/pgSQL function, as a developer would write it without the extension. Its plan is
-- cached too.
CREATE FUNCTION wrapped_heartbeat(runtime uuid) RETURNS agent_runtime LANGUAGE plpgsql AS $$
DECLARE
    seen agent_runtime;
BEGIN
    UPDATE agent_runtime AS r
    SET status = 'online', last_seen_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE r.id = runtime AND r.status = 'online'
    RETURNING r.* INTO seen;
    RETURN seen;
END
$$
