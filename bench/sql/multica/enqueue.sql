SELECT task_id FROM multica_enqueue(:worker, '{"n": 1}')
