SELECT true FROM schema_migrations WHERE version::text = '055_task_lease_and_retry'
