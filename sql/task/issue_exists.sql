SELECT i.id FROM issue AS i WHERE i.id = $1
