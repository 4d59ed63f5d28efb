-- In a new installation, agents run on the users' own machines.
ALTER TABLE agent ALTER COLUMN runtime_mode SET DEFAULT 'local';
