SELECT * FROM issue WHERE id = $1
