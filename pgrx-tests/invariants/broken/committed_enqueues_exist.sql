INSERT INTO returned VALUES (gen_random_uuid());
