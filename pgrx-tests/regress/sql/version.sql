-- The library and the SQL objects have the same version.
SELECT multica_version() = extversion AS same FROM pg_extension WHERE extname = 'multica';
