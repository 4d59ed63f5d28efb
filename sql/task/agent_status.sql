SELECT a.status FROM agent AS a WHERE a.id = $1
