-- A transaction that fails tasks changes no queued task of any agent.
SELECT f.task AS failed, q.task AS touched, q.after
FROM history AS f
JOIN history AS q ON q.transaction = f.transaction AND q.before = 'queued' AND q.after <> 'dispatched'
WHERE f.after = 'failed'
UNION ALL
SELECT task, task, after FROM history WHERE before = 'queued' AND after NOT IN ('dispatched', 'cancelled');
