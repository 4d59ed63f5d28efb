-- Settles the quota that the runs $1 have reserved, once: $3 is 'released' for a run that failed and 'consumed' for one that was
-- completed.
-- feature quota
WITH reservation AS (
    UPDATE autopilot_quota_reservation AS q
    SET state = $3, finalized_at = $2
    FROM autopilot_run AS r
    WHERE r.id = ANY ($1) AND q.id = r.quota_reservation_id AND q.state = 'reserved'
    RETURNING q.workspace_id, q.period_start, q.period_end
)
UPDATE autopilot_quota_period AS p
SET
    reserved_count = GREATEST(p.reserved_count - f.many, 0),
    used_count = p.used_count + CASE $3 WHEN 'consumed' THEN f.many ELSE 0::bigint END
FROM (
    SELECT v.workspace_id, v.period_start, v.period_end, count(*) AS many
    FROM reservation AS v
    GROUP BY v.workspace_id, v.period_start, v.period_end
) AS f
WHERE p.workspace_id = f.workspace_id AND p.period_start = f.period_start AND p.period_end = f.period_end
-- end quota
-- without quota
--| SELECT WHERE false
-- end quota
