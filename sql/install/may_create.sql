-- Returns the first of the caller and role $2 that may not create objects in schema $1; a superuser may create objects for any
-- role.
SELECT r.name
FROM unnest(ARRAY[current_user::text, $2]) AS r (name)
WHERE NOT has_schema_privilege(r.name::name, $1, 'CREATE') AND current_setting('is_superuser') <> 'on'
LIMIT 1
