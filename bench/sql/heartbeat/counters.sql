SELECT
    s.n_tup_upd,
    s.n_tup_hot_upd,
    (pg_current_wal_insert_lsn() - '0/0')::float8,
    pg_total_relation_size('agent_runtime')
FROM pg_stat_user_tables AS s
WHERE s.relid = 'agent_runtime'::regclass
