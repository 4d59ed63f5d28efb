COMMENT ON FUNCTION multica_status() IS
$$Reports the state of sweeping, runtimes, tasks and events in this database, in one row. Start here when you look for a
problem.
It takes no arguments.
Returns one multica_status_report.
Errors: 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function.$$;

COMMENT ON FUNCTION multica_metrics() IS
$$Returns what multica_status reports as numbers, for a metrics exporter.
It takes no arguments.
Returns one multica_metric per value.
Errors: 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function.$$;
