-- Returns where the rerun of the task $1 resumes. A session is resumed only on the runtime where it was, so not after the agent was
-- bound to another runtime, and not if its task has lost it, has given it up, or failed in a way that resuming would repeat. $2 to $5:
-- what makes a session unsafe, as $5 to $8 of prior.sql.
SELECT
    CASE
        WHEN o.runtime_id = (SELECT a.runtime_id FROM agent AS a WHERE a.id = o.agent_id)
            -- feature rollout
            AND NOT o.session_rollout_missing
            -- end rollout
            -- feature retired
            AND (o.session_id IS DISTINCT FROM o.retired_session_id)
            -- end retired
            -- feature fresh
            AND (
                o.status = 'failed'
                AND ((COALESCE(o.failure_reason, '') = ANY ($2)) <> $3 OR o.error ~* $4 OR o.error ~* $5)
            ) IS NOT TRUE
            -- end fresh
            THEN o.session_id
    END,
    o.work_dir
FROM agent_task_queue AS o
WHERE o.id = $1
