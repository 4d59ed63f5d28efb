SELECT run_id FROM absurd.claim_task('bench', :worker, 300, 1)
