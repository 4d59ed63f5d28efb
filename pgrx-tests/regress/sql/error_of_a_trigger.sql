-- An error that a user's trigger raises is passed on unchanged, without a hint of the extension.
\set QUIET on
\pset format unaligned
\pset tuples_only on
\set runtime '00000000-0000-4000-8000-0000000000b1'
INSERT INTO workspace (name, slug) VALUES ('w', 'w') RETURNING id AS workspace \gset
INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status)
    VALUES (:'runtime', :'workspace', 'd', 'd', 'local', 'claude', 'online');
SELECT status FROM multica_heartbeat(:'runtime');
CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO nowhere VALUES (1); RETURN NEW; END $$;
CREATE TRIGGER stumble BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION stumble();
SELECT status FROM multica_heartbeat(:'runtime');
CREATE OR REPLACE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE insufficient_privilege USING MESSAGE = 'no writes on sundays'; END $$;
SELECT status FROM multica_heartbeat(:'runtime');
CREATE OR REPLACE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'offline'; RETURN NEW; END $$;
UPDATE agent_runtime SET status = 'offline';
SELECT status FROM multica_heartbeat(:'runtime');
