-- Returns the statement that sets the shortest safe threshold of silence ($1, in seconds) for this database.
SELECT format('ALTER DATABASE %I SET multica.stale_after = %L', current_database(), $1 || 's')
