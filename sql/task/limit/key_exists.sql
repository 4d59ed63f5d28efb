-- Whether the runtime or the workspace with this id exists.
SELECT CASE $1
    WHEN 'runtime' THEN EXISTS (SELECT FROM agent_runtime AS r WHERE r.id = $2)
    ELSE EXISTS (SELECT FROM workspace AS w WHERE w.id = $2)
END
