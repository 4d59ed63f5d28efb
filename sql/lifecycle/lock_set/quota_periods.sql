-- Locks the periods of the reservations $1.
-- feature quota
SELECT p.workspace_id
FROM autopilot_quota_period AS p
WHERE (p.workspace_id, p.period_start, p.period_end) IN (
    SELECT q.workspace_id, q.period_start, q.period_end FROM autopilot_quota_reservation AS q WHERE q.id = ANY ($1)
)
ORDER BY p.workspace_id, p.period_start, p.period_end
FOR NO KEY UPDATE OF p
-- end quota
-- without quota
--| SELECT NULL::uuid WHERE false
-- end quota
