-- At most one task per issue and agent is in flight, now and after each claim.
SELECT issue_id, agent_id, count(*)
FROM agent_task_queue
WHERE status IN ('dispatched', 'running') AND issue_id IS NOT NULL
GROUP BY issue_id, agent_id
HAVING count(*) > 1
UNION ALL
SELECT task, NULL, in_flight_of_pair FROM history WHERE in_flight_of_pair > 1;
