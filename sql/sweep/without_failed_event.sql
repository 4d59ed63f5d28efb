-- Returns the tasks in $1 that have no task:failed event. $2: their workspaces, in the same order. Events of other workspaces are
-- not read, because row-level security may hide them.
SELECT u.id
FROM unnest($1, $2) AS u (id, workspace_id)
WHERE NOT EXISTS (
    SELECT FROM multica_event_log AS e
    WHERE e.type = 'task:failed'
      AND e.workspace_id IS NOT DISTINCT FROM u.workspace_id
      AND e.payload ->> 'task_id'::text = u.id::text
)
