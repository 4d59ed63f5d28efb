-- Whether the list has the migration that adds the five columns, and whether it looks like the server's list at all.
SELECT coalesce(bool_or(version::text = '055_task_lease_and_retry'), false),
    coalesce(bool_or(version::text ~ '^0[0-9][0-9]_'), false)
FROM schema_migrations
