SELECT pgmq.archive('bench', :id::bigint)
