COMMENT ON FUNCTION multica_events(bigint, integer) IS
$$Returns the events after a given one, in order, for readers that store their position themselves. It stops before an event
that an open transaction may still precede, so that a reader which continues from the last id misses nothing.
after_id: id of the last event already read; 0 for the beginning, as long as no event was trimmed. A reader that begins later
  begins after multica_sweep_state.events_trimmed_to.
max_events: the limit, at least 1.
Returns one multica_event per event, ascending.
Errors: 22004 an argument is NULL; 22023 max_events is below 1; 55000 events after after_id were trimmed
  already, or the log has restarted since after_id, or a subscription writes into the log, or the transaction's
  isolation is above READ COMMITTED, or the server is a standby, or the tables are missing; 42501 no privilege on
  them.
It takes the place of the server's in-process event bus.$$;

COMMENT ON FUNCTION multica_take_events(text, integer) IS
$$Returns the next events of a named reader. Its position moves in the caller's transaction: what that transaction writes
happens exactly once, and after a rollback the same events are returned again. Two sessions that use one reader take
turns.
reader: name of the reader, not blank, at most 1000 bytes; one that is new begins with the oldest event kept.
max_events: the limit, at least 1.
Returns one multica_event per event, ascending.
Errors: 22004 an argument is NULL; 22023 reader is blank or too long, or max_events is below 1; 55000 events that it
  had not taken were trimmed, or the log has restarted since it took any, or a subscription writes into the log, or it was
  forgotten in the meantime, or the transaction's isolation is above READ COMMITTED, or the server is a standby, or the
  tables are missing; 42501 no privilege on them.
It takes the place of the server's in-process event bus.$$;

COMMENT ON FUNCTION multica_forget_reader(text) IS
$$Forgets a named reader: no event is kept for it any longer, and the name starts again when it is used again.
reader: name of the reader.
Returns true if it existed.
Errors: 22004 reader is NULL; 55006 a table of yours refers to it; 55000 the tables are missing; 42501 no privilege
  on them.
The server has no counterpart: its events are gone once they are sent.$$;

COMMENT ON FUNCTION multica_list_readers() IS
$$Returns the named readers, the one that is furthest behind first. Events are kept for each of them until it has taken them or
is forgotten.
It takes no arguments.
Returns one multica_reader per reader.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has no counterpart: its events are gone once they are sent.$$;
