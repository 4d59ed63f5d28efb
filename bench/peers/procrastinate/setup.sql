-- procrastinate 3.10.0. Its statements are functions of its schema. They are called as in its queries.sql, but without
-- a listener, which a new job could wake. For a batch, jobs are deferred together. It fetches and finishes jobs one by
-- one, and increases throughput with more sub-workers, which are connections here.
-- https://procrastinate.readthedocs.io/en/stable/howto/production/concurrency.html
-- Finished jobs are kept (delete_jobs = 'never', its default), as by the other queues.
-- https://procrastinate.readthedocs.io/en/stable/howto/production/delete_finished_jobs.html
INSERT INTO procrastinate_workers SELECT FROM generate_series(1, 32);
