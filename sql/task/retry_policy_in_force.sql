-- Returns the rule of every reason that has one, built in ($1 to $10, one array per attribute) or of the operator, and last the rule
-- '*' of all other reasons.
WITH built_in AS MATERIALIZED (
    SELECT b.*
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS b (
        reason, is_retried, max_attempts, delay_secs, delay_from_attempt, backoff_factor, jitter, keeps_session, waits_for_runtime,
        unsafe_to_resume
    )
)
-- feature retry_policy
SELECT
    COALESCE(o.reason, b.reason) AS reason,
    COALESCE(o.is_retried, b.is_retried, u.is_retried, e.is_retried) AS is_retried,
    COALESCE(o.max_attempts, b.max_attempts, u.max_attempts, e.max_attempts) AS max_attempts,
    COALESCE(o.delay_secs, b.delay_secs, u.delay_secs, e.delay_secs) AS delay_secs,
    COALESCE(o.delay_from_attempt, b.delay_from_attempt, u.delay_from_attempt, e.delay_from_attempt) AS delay_from_attempt,
    COALESCE(o.backoff_factor, b.backoff_factor, u.backoff_factor, e.backoff_factor) AS backoff_factor,
    COALESCE(o.jitter, b.jitter, u.jitter, e.jitter) AS jitter,
    COALESCE(o.keeps_session, b.keeps_session, u.keeps_session, e.keeps_session) AS keeps_session,
    COALESCE(o.waits_for_runtime, b.waits_for_runtime, u.waits_for_runtime, e.waits_for_runtime) AS waits_for_runtime,
    COALESCE(o.unsafe_to_resume, b.unsafe_to_resume, u.unsafe_to_resume, e.unsafe_to_resume) AS unsafe_to_resume,
    o.reason IS NOT NULL AS is_changed
FROM built_in AS b
FULL JOIN multica_retry_policy AS o ON o.reason = b.reason
JOIN built_in AS e ON e.reason = '*'
LEFT JOIN multica_retry_policy AS u ON u.reason = '*'
ORDER BY COALESCE(o.reason, b.reason) = '*', COALESCE(o.reason, b.reason)
-- end retry_policy
-- without retry_policy
--| SELECT b.*, false AS is_changed FROM built_in AS b ORDER BY b.reason = '*', b.reason
-- end retry_policy
