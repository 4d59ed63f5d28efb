-- Returns the encoding of this database.
SELECT getdatabaseencoding()::text
