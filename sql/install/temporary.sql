SELECT pg_my_temp_schema()
