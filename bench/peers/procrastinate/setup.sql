-- procrastinate 3.10.0. Its statements are functions of its schema; they are called as its queries.sql calls them, with
-- the listener that a job may wake left out. Jobs are deferred in batches where batches are measured; it fetches and
-- finishes one by one, and takes more at a time through more sub-workers, which here are connections.
-- https://procrastinate.readthedocs.io/en/stable/howto/production/concurrency.html
-- Finished jobs are kept (delete_jobs = 'never', its default), as on the other sides.
-- https://procrastinate.readthedocs.io/en/stable/howto/production/delete_finished_jobs.html
INSERT INTO procrastinate_workers SELECT FROM generate_series(1, 32);
