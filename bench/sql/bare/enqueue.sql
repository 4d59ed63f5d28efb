INSERT INTO job (context) VALUES ('{"n": 1}') RETURNING id
