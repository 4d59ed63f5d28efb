-- What the operator changes of the built-in policy. A column that is NULL is as built in.
CREATE TABLE multica_retry_policy (
    reason text PRIMARY KEY,
    is_retried boolean,
    max_attempts integer CHECK (max_attempts >= 0),
    delay_secs double precision CHECK (delay_secs >= 0 AND delay_secs <= 86400),
    delay_from_attempt integer CHECK (delay_from_attempt >= 1),
    backoff_factor double precision CHECK (backoff_factor >= 1 AND backoff_factor <= 100),
    jitter double precision CHECK (jitter >= 0 AND jitter <= 1),
    keeps_session boolean,
    waits_for_runtime boolean,
    unsafe_to_resume boolean
);

COMMENT ON TABLE multica_retry_policy IS
    'what the operator changes of the built-in retry policy; multica_retry_policy_in_force() shows both';
COMMENT ON COLUMN multica_retry_policy.reason IS 'failure_reason; * stands for every reason that has no rule of its own';
COMMENT ON COLUMN multica_retry_policy.is_retried IS 'whether the task is retried; NULL in any column: as built in';
COMMENT ON COLUMN multica_retry_policy.max_attempts IS
    'attempts in all, the first one included; 0: max_attempts of the task; a task with max_attempts 1 is never retried';
COMMENT ON COLUMN multica_retry_policy.delay_secs IS 'seconds until the retry is due';
COMMENT ON COLUMN multica_retry_policy.delay_from_attempt IS
    'first attempt whose failure is followed by the delay; the retry of an earlier one is queued at once';
COMMENT ON COLUMN multica_retry_policy.backoff_factor IS 'by what the delay is multiplied after each further attempt';
COMMENT ON COLUMN multica_retry_policy.jitter IS 'part of the delay that is added at random, at most';
COMMENT ON COLUMN multica_retry_policy.keeps_session IS 'whether the retry resumes the session and the working directory';
COMMENT ON COLUMN multica_retry_policy.waits_for_runtime IS
    'whether the retry is deferred until its runtime is online; in tables without a server a queued task waits for its runtime anyway';
COMMENT ON COLUMN multica_retry_policy.unsafe_to_resume IS 'whether no later task may resume the session';
