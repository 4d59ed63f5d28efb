COMMENT ON FUNCTION multica_status() IS
$$Returns the state of sweeping, runtimes, tasks and events in this database, in one row.
It takes no arguments.
Returns one multica_status_report.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has no counterpart.$$;

COMMENT ON FUNCTION multica_metrics() IS
$$Returns the numbers of multica_status, for an exporter of metrics.
It takes no arguments.
Returns one multica_metric per figure.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has no counterpart.$$;
