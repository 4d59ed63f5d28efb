-- What is over stays as it is.
SELECT task, before, after FROM history WHERE before IN ('completed', 'failed', 'cancelled');
