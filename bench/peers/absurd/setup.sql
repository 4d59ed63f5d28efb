-- absurd 0.5.1, the schema that absurdctl installs. An unpartitioned queue, its default; a task is spawned, claimed with
-- its run, and the run completed. No step between claim and end. Claims take as many as the batch, the batch size of its
-- workers; spawning and completing are calls for one task, made in one statement where batches are measured.
-- https://earendil-works.github.io/absurd/
SELECT absurd.create_queue('bench');
