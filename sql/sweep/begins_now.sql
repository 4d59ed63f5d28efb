-- Tasks that the caller has locked and that began later than now: their time begins now. The time of the dispatch is the claim
-- token, which a running task keeps; one that was not started is returned by a claim again if its daemon does not start it.
UPDATE agent_task_queue AS t
SET dispatched_at = CASE t.status WHEN 'dispatched' THEN $2 ELSE t.dispatched_at END,
    started_at = CASE t.status WHEN 'running' THEN $2 ELSE t.started_at END
WHERE t.id = ANY ($1) AND t.status IN ('dispatched', 'running')
