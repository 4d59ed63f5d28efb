-- Returns the tables with a trigger that can be deferred, including the triggers of foreign keys and unique constraints.
SELECT DISTINCT t.tgrelid FROM pg_trigger AS t WHERE t.tgdeferrable
