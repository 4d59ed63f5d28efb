-- What the caller has set, if anything.
SELECT setting, source = 'default' FROM pg_settings WHERE name = 'lock_timeout'
