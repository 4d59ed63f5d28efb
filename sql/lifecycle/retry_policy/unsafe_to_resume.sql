-- Returns for which reasons the operator has changed whether a session can be resumed after them.
-- feature retry_policy
SELECT o.reason, o.unsafe_to_resume FROM multica_retry_policy AS o WHERE o.unsafe_to_resume IS NOT NULL
-- end retry_policy
-- without retry_policy
--| SELECT NULL::text AS reason, NULL::boolean AS unsafe_to_resume WHERE false
-- end retry_policy
