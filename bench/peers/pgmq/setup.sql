-- pgmq, the SQL that the Python package pgmq 1.1.4 ships. An ordinary (logged, unpartitioned) queue; messages are
-- archived when they are done, so that history is kept as on the other sides. No step between claim and end. Batches as
-- its documentation recommends them: send_batch, read with a quantity, archive with an array.
-- https://pgmq.github.io/pgmq/api/sql/functions/
SELECT pgmq.create('bench');
