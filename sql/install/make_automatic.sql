-- Returns the statement that makes the setting $1 of this database automatic.
SELECT format('ALTER DATABASE %I SET %s = -1', current_database(), $1)
