INSERT INTO schema_migrations (version) VALUES ('055_task_lease_and_retry')
