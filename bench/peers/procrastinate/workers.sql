SELECT id FROM procrastinate_workers ORDER BY id
