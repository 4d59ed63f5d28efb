-- The first of the caller and role $2 that may not create in schema $1; a superuser creates in anybody's name.
SELECT r.name
FROM unnest(ARRAY[current_user::text, $2]) AS r (name)
WHERE NOT has_schema_privilege(r.name::name, $1, 'CREATE') AND current_setting('is_superuser') <> 'on'
LIMIT 1
