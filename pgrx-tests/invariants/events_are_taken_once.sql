-- The named reader took each committed event exactly once, and nothing else.
SELECT COALESCE(e.id, t.id) AS id, count(t.id) AS times
FROM multica_event_log AS e
FULL JOIN taken AS t ON t.id = e.id
GROUP BY 1
HAVING count(t.id) <> 1 OR count(e.id) = 0;
