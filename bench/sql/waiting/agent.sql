SELECT id, runtime_id FROM agent WHERE max_concurrent_tasks = 100 ORDER BY id LIMIT 1
