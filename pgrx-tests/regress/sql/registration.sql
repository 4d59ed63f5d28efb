-- A registration with an error in any place registers nothing, and the error names the place.
\set ECHO none
\getenv srcdir PG_ABS_SRCDIR
\set helper :srcdir /helper/outcome.sql
\i :helper
\set ECHO all
INSERT INTO workspace (id, name, slug) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Fleet', 'fleet');

SELECT g.document || E'\n  ' || outcome(format('SELECT multica_register(''00000000-0000-4000-8000-0000000000a1'', %L)', g.document))
FROM (VALUES
    ('[]'), ('["d", [], "n", "v", "l", false, []]'), ('1'), ('"text"'), ('null'), ('{}'),
    ('{"runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": " ", "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": null, "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": 1, "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d"}'),
    ('{"daemon_id": "d", "runtimes": []}'),
    ('{"daemon_id": "d", "runtimes": {}}'),
    ('{"daemon_id": "d", "runtimes": "claude"}'),
    ('{"daemon_id": "d", "runtimes": [{}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "claude"}, {"type": " ", "provider": null}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "claude", "provider": "codex"}]}'),
    ('{"daemon_id": "d", "runtimes": [1]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "claude"}, ["n", "codex"]]}'),
    ('{"daemon_id": "d", "runtimes": [{"name": 1}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": []}]}'),
    ('{"daemon_id": "d", "runtimes": [{"version": 2}]}'),
    ('{"daemon_id": "d", "runtimes": [{"status": true}]}'),
    ('{"daemon_id": "d", "runtimes": [{"running": "all"}]}'),
    ('{"daemon_id": "d", "runtimes": [{"running": ["x"]}]}'),
    ('{"daemon_id": "d", "legacy_daemon_ids": "old", "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "legacy_daemon_ids": [1], "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "device_name": 1, "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "cli_version": 1.0, "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "launched_by": {}, "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "recover": "yes", "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "claude"}, {"type": "codex", "status": "away"}, {"type": "gemini"}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "claude"}, {"type": " Claude "}]}'),
    ('{"daemon_id": "d", "capabilities": "all", "runtimes": [{"type": "t"}]}'),
    ('{"daemon_id": "d", "failed_profiles": []}'),
    ('{"daemon_id": "d", "failed_profiles": [1]}'),
    ('{"daemon_id": "d", "failed_profiles": [{"reason": 1}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "t", "profile_id": "fast"}]}'),
    ('{"daemon_id": "d", "runtimes": [{"type": "t", "profile_id": "00000000-0000-4000-8000-0000000000a1"}]}')
) AS g (document);
SELECT count(*) AS registered FROM agent_runtime;
SELECT count(*) AS announced FROM multica_event_log;

-- A name is built from the keys that are present; an unknown key raises a warning and is ignored.
SELECT daemon_id, name, provider, status, device_info, metadata, inserted, merged FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1',
    '{"daemon_id": " d ", "device_name": " laptop ", "cli_version": "1.2", "launched_by": "app", "future": 1e400,
      "runtimes": [{"type": " codex ", "version": "0.9"}, {"name": " mine ", "type": "claude", "status": "offline"},
                   {"type": null, "provider": "gemini", "status": " "}]}'
);
SELECT name, device_info, metadata FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1', '{"daemon_id": "bare", "runtimes": [{"provider": "codex"}, {"type": "claude", "version": "1"}]}'
);

-- The warning for a misspelled key names the correct key, in every place.
SELECT provider FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1',
    '{"daemon_id": "typos", "recovr": true, "Device_Name": "box", "future": {"recover": true},
      "runtimes": [{"type": "claude", "runing": []}, {"provider": "codex", "verison": "1"}]}'
);
SELECT provider FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1',
    '{"daemon_id": "many", "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1, "j": 1, "k": 1, "l": 1,
      "runtimes": [{"provider": "claude"}]}'
);

-- A failed profile that cannot be stored raises a warning.
SELECT provider, metadata FROM multica_register(
    '00000000-0000-4000-8000-0000000000a1',
    '{"daemon_id": "failing", "capabilities": ["resume"], "runtimes": [{"provider": " Claude "}],
      "failed_profiles": [{"profile_id": "fast"}, {"profile_id": "00000000-0000-4000-8000-0000000000a1", "comand_name": "c"}]}'
);
