-- Returns the id of the last event up to the id $1; NULL if there is none.
SELECT max(e.id) FROM multica_event_log AS e WHERE e.id <= $1
