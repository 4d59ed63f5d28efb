-- absurd 0.5.1, with the schema that absurdctl installs. The queue is not partitioned, which is the default. A task is
-- spawned, claimed with its run, and the run is completed; there is no step between claim and end. A claim takes one
-- batch, which is the batch size of its workers. Spawning and completing are calls for one task; for a batch, one
-- statement makes all calls.
-- https://earendil-works.github.io/absurd/
SELECT absurd.create_queue('bench');
