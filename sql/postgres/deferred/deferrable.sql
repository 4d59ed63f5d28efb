-- The tables with a trigger that can be deferred, those of foreign keys and unique constraints included.
SELECT DISTINCT t.tgrelid FROM pg_trigger AS t WHERE t.tgdeferrable
