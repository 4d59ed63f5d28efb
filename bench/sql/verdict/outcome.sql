-- Returns a digest of the rows that every way must leave. Retries are identified by their parent, because their ids are
-- random.
SELECT md5(string_agg(line, E'\n' ORDER BY line))
FROM (
    SELECT concat_ws('|', CASE WHEN parent_task_id IS NULL THEN id END, parent_task_id, status, failure_reason, error, attempt,
                     max_attempts, priority, session_id, work_dir, completed_at IS NULL) AS line
    FROM agent_task_queue
    UNION ALL
    SELECT concat_ws('|', id, status) FROM issue
    UNION ALL
    SELECT concat_ws('|', id, status) FROM agent
    UNION ALL
    SELECT concat_ws('|', id, status) FROM agent_runtime
) AS lines
