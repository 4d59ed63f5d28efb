-- Returns the statement $1, which creates an index, as one that stops no other session.
SELECT regexp_replace($1, '^CREATE (UNIQUE )?INDEX ', 'CREATE \1INDEX CONCURRENTLY ')
