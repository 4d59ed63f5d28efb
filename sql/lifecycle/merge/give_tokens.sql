-- Gives the tokens of the system agents $1 to the system agents $2, to which their tasks belong now.
UPDATE task_token AS k SET agent_id = j.kept
FROM unnest($1, $2) AS j (id, kept)
WHERE k.agent_id = j.id AND k.agent_id = ANY ($1)
