-- Locks and returns what the runs $1 have reserved.
-- feature quota
SELECT q.id
FROM autopilot_quota_reservation AS q
JOIN autopilot_run AS r ON r.quota_reservation_id = q.id
WHERE r.id = ANY ($1) AND q.state = 'reserved'
ORDER BY q.id
FOR NO KEY UPDATE OF q
-- end quota
-- without quota
--| SELECT NULL::uuid WHERE false
-- end quota
