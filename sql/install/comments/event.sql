COMMENT ON FUNCTION multica_events(bigint, integer) IS
$$The events after a given one, in order, for readers that want all of them and remember by themselves how far
they read. It stops before an event that a transaction still open might yet precede, so going on from the last
id skips nothing.
after_id: id of the last event already read; 0 for the beginning, as long as no event was trimmed. A reader that begins later
  begins after multica_sweep_state.events_trimmed_to.
max_events: at most so many, at least 1.
Returns one multica_event an event, ascending.
Errors: 22004 an argument is NULL; 22023 max_events is below 1; 55000 events after after_id were trimmed
  already, or the log has begun anew since after_id, or a subscription writes into the log, or the transaction's
  isolation is above READ COMMITTED, or the server is a standby, or the tables are missing; 42501 no privilege on
  them.
It takes the place of the server's in-process event bus.$$;

COMMENT ON FUNCTION multica_take_events(text, integer) IS
$$The next events of a named reader. Its position moves in the caller's transaction: what is written in the same
transaction happens exactly once, and after a rollback the same events come again. Two sessions that take as one
reader take turns.
reader: name of the reader, not blank, at most 1000 bytes; one that is new begins with the oldest event kept.
max_events: at most so many, at least 1.
Returns one multica_event an event, ascending.
Errors: 22004 an argument is NULL; 22023 reader is blank or too long, or max_events is below 1; 55000 events that it
  had not taken were trimmed, or the log has begun anew since it took any, or a subscription writes into the log, or it was
  forgotten meanwhile, or the transaction's isolation is above READ COMMITTED, or the server is a standby, or the
  tables are missing; 42501 no privilege on them.
It takes the place of the server's in-process event bus.$$;

COMMENT ON FUNCTION multica_forget_reader(text) IS
$$Forgets a named reader: no event is kept for it any longer, and the name begins anew when it is used again.
reader: name of the reader.
Returns true where there was one.
Errors: 22004 reader is NULL; 55006 a table of yours refers to it; 55000 the tables are missing; 42501 no privilege
  on them.
The server has nothing like it: its events are gone once they are sent.$$;

COMMENT ON FUNCTION multica_list_readers() IS
$$The named readers, the one that is furthest behind first: events are kept for each of them until it has taken them or
is forgotten.
It takes no arguments.
Returns one multica_reader a reader.
Errors: 55000 the tables are missing; 42501 no privilege on them.
The server has nothing like it: its events are gone once they are sent.$$;
