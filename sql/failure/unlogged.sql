SELECT u.id
FROM pg_catalog.unnest($1) AS u (id)
WHERE NOT EXISTS (
    SELECT FROM multica_event_log AS e WHERE e.type = 'task:failed' AND e.payload ->> 'task_id'::text = u.id::text
)
