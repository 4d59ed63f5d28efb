-- pgmq, with the SQL in the Python package pgmq 1.1.4. The queue is an ordinary one: logged and not partitioned.
-- Messages are archived when they are done, so that history is kept as by the other queues. There is no step between
-- claim and end. Batches are handled as its documentation recommends: send_batch, read with a quantity, archive with an
-- array.
-- https://pgmq.github.io/pgmq/api/sql/functions/
SELECT pgmq.create('bench');
