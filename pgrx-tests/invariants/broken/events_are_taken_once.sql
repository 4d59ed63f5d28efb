INSERT INTO multica_event_log (type, payload) VALUES ('task:queued', '{}');
