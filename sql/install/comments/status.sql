COMMENT ON FUNCTION multica_status() IS
$$How sweeping, runtimes, tasks and events stand in this database, in one row: the first thing to look at.
It takes no arguments.
Returns one multica_status_report.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has nothing like it.$$;

COMMENT ON FUNCTION multica_metrics() IS
$$What multica_status says as numbers, for an exporter of metrics.
It takes no arguments.
Returns one multica_metric a figure.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has nothing like it.$$;
