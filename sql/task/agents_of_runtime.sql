SELECT a.id FROM agent AS a WHERE a.runtime_id = $1
