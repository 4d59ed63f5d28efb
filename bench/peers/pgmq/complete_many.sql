SELECT * FROM pgmq.archive('bench', :ids::bigint[])
