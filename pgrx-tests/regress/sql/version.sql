-- The library and the SQL objects are of one version.
SELECT multica_version() = extversion AS same FROM pg_extension WHERE extname = 'multica';
