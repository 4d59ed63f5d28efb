COMMENT ON FUNCTION multica_install(boolean) IS
'creates the tables that are missing and adopts those that are there, one row per object: created, altered, adopted, or '
'missing for what an adopted table lacks and its owner may add; dry_run changes nothing and lists the statements';

COMMENT ON TYPE multica_install_step IS 'one object that multica_install looked at, and the statement for it';
