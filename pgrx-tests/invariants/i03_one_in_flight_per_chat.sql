-- At most one turn per chat is in flight, now and after each claim.
SELECT chat_session_id, count(*)
FROM agent_task_queue
WHERE status IN ('dispatched', 'running') AND chat_session_id IS NOT NULL
GROUP BY chat_session_id
HAVING count(*) > 1
UNION ALL
SELECT task, in_flight_of_chat FROM history WHERE in_flight_of_chat > 1;
