-- All routines that each capability gives access to, and all tables and columns where a table has row-level security, because calls
-- then run with the privileges of their caller. A new routine changes the first list; read the difference before you accept it as
-- expected.
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
ALTER TABLE comment ENABLE ROW LEVEL SECURITY;
CREATE ROLE multica_golden_reader;
CREATE ROLE multica_golden_daemon;
CREATE ROLE multica_golden_operator;
SELECT FROM (VALUES ('reader'), ('daemon'), ('operator')) AS c (name), multica_grant(('multica_golden_' || c.name)::regrole, c.name);
CREATE TEMPORARY VIEW holder AS
SELECT c.name, ('multica_golden_' || c.name)::regrole::oid AS role, c.at
FROM unnest('{reader,daemon,operator}'::text[]) WITH ORDINALITY AS c (name, at);

\echo routines, by capabilities that may call them
SELECT p.proname,
    COALESCE((SELECT string_agg(h.name, ' ' ORDER BY h.at) FROM holder AS h WHERE has_function_privilege(h.role, p.oid, 'EXECUTE')), 'nobody'),
    CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'AND EVERYBODY' END
FROM pg_proc AS p
JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'multica'
ORDER BY 2, 1;

\echo privileges of each capability on whole tables and sequences of any schema
SELECT h.name, c.oid::regclass, string_agg(v.privilege, ' ' ORDER BY v.privilege)
FROM holder AS h
CROSS JOIN pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,USAGE}'::text[]) AS v (privilege)
WHERE CASE
    WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') AND v.privilege <> 'USAGE' THEN has_table_privilege(h.role, c.oid, v.privilege)
    WHEN c.relkind = 'S' AND v.privilege IN ('SELECT', 'UPDATE', 'USAGE') THEN has_sequence_privilege(h.role, c.oid, v.privilege)
    ELSE false END
GROUP BY h.at, h.name, c.oid
ORDER BY h.at, c.oid::regclass::text;

\echo privileges on columns, without the whole table
SELECT h.name, c.oid::regclass, v.privilege, string_agg(a.attname, ' ' ORDER BY a.attname)
FROM holder AS h
CROSS JOIN pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS v (privilege)
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND has_column_privilege(h.role, c.oid, a.attnum, v.privilege)
    AND NOT has_table_privilege(h.role, c.oid, v.privilege)
GROUP BY h.at, h.name, c.oid, v.privilege
ORDER BY h.at, c.oid::regclass::text, v.privilege;

\echo privileges on the schema and the database
SELECT h.name,
    has_schema_privilege(h.role, 'public', 'USAGE') AS may_look, has_schema_privilege(h.role, 'public', 'CREATE') AS may_create,
    has_database_privilege(h.role, current_database(), 'CREATE') AS may_create_schemas
FROM holder AS h ORDER BY h.at;

ALTER TABLE comment DISABLE ROW LEVEL SECURITY;
DROP OWNED BY multica_golden_reader, multica_golden_daemon, multica_golden_operator;
DROP ROLE multica_golden_reader, multica_golden_daemon, multica_golden_operator;
