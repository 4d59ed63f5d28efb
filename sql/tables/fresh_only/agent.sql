-- A newcomer's agents run on his own machines.
ALTER TABLE agent ALTER COLUMN runtime_mode SET DEFAULT 'local';
