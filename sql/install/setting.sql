-- Returns the value of setting $1, and whether it is the default.
SELECT setting, source = 'default' FROM pg_settings WHERE name = $1
