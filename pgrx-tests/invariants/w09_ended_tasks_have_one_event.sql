-- Each completed or cancelled task has one event. Each completed turn of a chat also has one event chat:done.
SELECT t.id, t.status, k.type, count(e.id) AS events
FROM agent_task_queue AS t
CROSS JOIN LATERAL (
    VALUES ('task:' || t.status, true), ('chat:done', t.status = 'completed' AND t.chat_session_id IS NOT NULL)
) AS k (type, expected)
LEFT JOIN multica_event_log AS e ON e.type = k.type AND e.payload ->> 'task_id' = t.id::text
WHERE t.status IN ('completed', 'cancelled') AND k.expected
GROUP BY t.id, k.type
HAVING count(e.id) <> 1;
