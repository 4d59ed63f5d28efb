-- What setting $1 is, and whether nobody has set it.
SELECT setting, source = 'default' FROM pg_settings WHERE name = $1
