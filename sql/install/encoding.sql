-- The encoding of this database.
SELECT getdatabaseencoding()::text
