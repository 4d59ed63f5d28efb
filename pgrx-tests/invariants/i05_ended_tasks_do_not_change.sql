-- The status of an ended task does not change.
SELECT task, before, after FROM history WHERE before IN ('completed', 'failed', 'cancelled');
