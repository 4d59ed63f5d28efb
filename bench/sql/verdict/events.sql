-- Returns a digest of the events without random ids and times, so that the digests of two ways can be compared.
SELECT md5(string_agg(line, E'\n' ORDER BY line))
FROM (
    SELECT concat_ws('|', e.type, e.workspace_id,
        (e.payload - 'sweep_id' - 'retry_task_id' #- '{agent,updated_at}' #- '{issue,updated_at}' #- '{issue,last_activity_at}')
        - CASE WHEN e.type = 'task:queued' THEN 'task_id' ELSE '' END
        - CASE WHEN e.type = 'daemon:register' THEN 'runtime_ids' ELSE '' END,
        (SELECT t.parent_task_id FROM agent_task_queue AS t WHERE t.id = (e.payload ->> 'retry_task_id')::uuid),
        jsonb_array_length(e.payload -> 'runtime_ids')
    ) AS line
    FROM multica_event_log AS e
) AS lines
