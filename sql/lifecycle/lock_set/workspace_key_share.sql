SELECT w.id FROM workspace AS w WHERE w.id = $1 FOR KEY SHARE
