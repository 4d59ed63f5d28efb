-- Whether a workspace's issue counter is behind the numbers of its issues, as after an import of issues with numbers.
SELECT EXISTS (
    SELECT
    FROM workspace AS w
    WHERE w.issue_counter < (SELECT max(i."number") FROM issue AS i WHERE i.workspace_id = w.id)
)
