SELECT a.id FROM agent AS a WHERE a.id = $1
