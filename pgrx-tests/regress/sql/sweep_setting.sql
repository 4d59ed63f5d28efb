-- Setting multica.sweep where the worker does not read it warns with a hint; setting it for a database does not warn.
SELECT multica_version() IS NOT NULL AS loaded;
SET multica.sweep = on;
RESET multica.sweep;
BEGIN;
SET LOCAL multica.sweep = on;
ROLLBACK;
SELECT set_config('multica.sweep', 'off', false);
CREATE ROLE multica_golden_sweeper;
ALTER ROLE multica_golden_sweeper SET multica.sweep = on;
ALTER ROLE multica_golden_sweeper SET multica.batch_size = 10;
DROP ROLE multica_golden_sweeper;
ALTER SYSTEM SET multica.sweep = on;
ALTER SYSTEM RESET multica.sweep;
SELECT current_database() AS database \gset
ALTER DATABASE :"database" SET multica.sweep = on;
ALTER DATABASE :"database" RESET multica.sweep;
