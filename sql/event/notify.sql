SELECT pg_notify('multica_events', '')
