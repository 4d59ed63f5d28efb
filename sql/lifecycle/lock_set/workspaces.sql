SELECT w.id FROM workspace AS w WHERE w.id = ANY ($1) ORDER BY w.id FOR KEY SHARE
