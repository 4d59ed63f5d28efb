COMMENT ON FUNCTION multica_events(bigint, integer, uuid) IS
$$Returns the events after a given one, in order, for readers that want all events and store their own position. It stops
before an event that an open transaction could still precede, so a reader that continues from the last returned id skips
nothing.
after_id: id of the last event that was read (default 0); 0 means from the beginning, as long as no event was trimmed. A
  reader that begins later begins after multica_sweep_state.events_trimmed_to.
max_events: maximum number of events, at least 1 (default 1000).
workspace_id: id of a workspace: only its events are returned; NULL (the default) means all events. For a workspace without
  events no row is returned.
Returns one multica_event per event, in ascending order.
Errors: 22004 after_id or max_events is NULL; 22023 after_id is below 0, or max_events is below 1; 55000 (events_trimmed) events after
  after_id have been trimmed; 55000 (log_restarted) the event log has restarted since after_id; 55000 (log_replicated) a
  subscription writes into the event log; 55000 (wrong_isolation) the isolation level of the transaction is above READ
  COMMITTED; 55000 (on_standby) the server is a standby; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Replaces the server's in-process event bus.$$;

COMMENT ON FUNCTION multica_take_events(text, integer, uuid) IS
$$Returns the next events of a named reader and moves its position in the caller's transaction. What the same transaction
writes happens exactly once; after a rollback the same events are returned again. Two sessions that use the same reader
take turns.
reader: name of the reader, not blank, at most 1000 bytes; a new reader begins with the oldest event that is kept.
max_events: maximum number of events, at least 1 (default 1000).
workspace_id: id of a workspace: only its events are returned, and the position moves past those of all others too, so that
  this reader never gets them; NULL (the default) means all events.
Returns one multica_event per event, in ascending order.
Errors: 22004 reader or max_events is NULL; 22023 reader is blank or too long, or max_events is below 1; 55000 (events_trimmed)
  events that the reader had not taken have been trimmed; 55000 (log_restarted) the event log has restarted since the
  reader took events; 55000 (log_replicated) a subscription writes into the event log; 55000 (try_again) another session
  forgot the reader at the same time; 55000 (wrong_isolation) the isolation level of the transaction is above READ
  COMMITTED; 55000 (on_standby) the server is a standby; 55000 (install_needed) the tables are missing; 42501 a privilege
  on the tables is missing.
Replaces the server's in-process event bus.$$;

COMMENT ON FUNCTION multica_forget_reader(text) IS
$$Forgets a named reader. Events are no longer kept for it, and the name starts again as a new reader when it is next used.
reader: name of the reader.
Returns true if the reader existed.
Errors: 22004 reader is NULL; 55006 (in_use) a table of your own refers to it; 55000 (install_needed) the tables are
  missing; 42501 a privilege on the tables is missing.
The server has no such function: its events are lost once they are sent.$$;

COMMENT ON FUNCTION multica_list_readers() IS
$$Lists the named readers, the one that is furthest behind first. Events are kept for each reader until it has taken them
or is forgotten.
It takes no arguments.
Returns one multica_reader per reader.
Errors: 55000 (install_needed) the tables are missing; 42501 a privilege on the tables is missing.
The server has no such function: its events are lost once they are sent.$$;
