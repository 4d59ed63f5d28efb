//! Registrations and heartbeats on the tables of servers of several generations: runtimes of profiles, names that users
//! give, and heartbeats where an index contains the time of the last one.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, expect_state, value, values};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    registration_overwrites_runtime_without_profile,
    profile_determines_provider,
    runtimes_of_profiles_are_not_merged,
    unknown_and_disabled_profiles_are_refused,
    database_without_profiles_refuses_them,
    failed_profile_is_stored_offline,
    bad_failed_profile_does_not_prevent_registration,
    new_runtime_gets_common_name,
    registration_keeps_what_users_set,
    lookups_return_columns_of_every_generation,
    fresh_heartbeat_writes_nothing,
    heartbeat_that_counts_is_written,
    heartbeat_keeps_time_of_last_change,
    waiting_task_is_not_stopped,
    reason_is_stored_until_registration,
];

/// The first and the last generation, and those around the migration that added profiles.
const GENERATIONS: [&str; 4] = ["055", "109", "121", "397"];

/// A database of this generation with rows, in which the extension is installed.
fn adopted<'a>(context: &'a Context, generation: &str) -> Result<(Database<'a>, Client)> {
    let database = context.generation_with_rows(generation)?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    Ok((database, client))
}

/// A registration of daemon `machine-online` in workspace 1, with these members of the JSON object.
fn register(members: &str) -> String {
    format!("multica_register(md5('workspace 1')::uuid, '{{\"daemon_id\": \"machine-online\", {members}}}')")
}

/// The id of a profile, without quotes.
fn profile(client: &mut Client, name: &str) -> Result<String> {
    value(client, &format!("SELECT md5('profile {name}')::uuid"))
}

/// In 121, the daemon has a runtime without a profile and three runtimes with profiles, all of one provider.
fn registration_overwrites_runtime_without_profile(context: &Context) -> Result<()> {
    for generation in GENERATIONS {
        let (_database, mut client) = adopted(context, generation)?;
        let others = "SELECT string_agg(r::text, '' ORDER BY id) FROM agent_runtime AS r WHERE name <> 'again'";
        client.batch_execute("UPDATE agent_runtime SET name = 'again' WHERE id = md5('runtime online')::uuid")?;
        let before = value(&mut client, others)?;
        for call in [
            register(r#""runtimes": [{"type": " Claude ", "name": "again"}]"#),
            "multica_upsert_runtime(md5('workspace 1')::uuid, 'machine-online', 'again', 'local', 'claude', 'online')"
                .into(),
        ] {
            let written = format!("SELECT id = md5('runtime online')::uuid, inserted, provider, name FROM {call}");
            expect(&mut client, &written, "t f claude again").context(generation)?;
        }
        expect(&mut client, others, &before).context(generation)?;
    }
    Ok(())
}

fn profile_determines_provider(context: &Context) -> Result<()> {
    for generation in ["121", "397"] {
        let (_database, mut client) = adopted(context, generation)?;
        client.batch_execute("UPDATE runtime_profile SET protocol_family = 'codex' WHERE display_name = 'fast'")?;
        let upsert = "SELECT id = md5('runtime fast')::uuid, inserted, provider
                      FROM multica_upsert_runtime(md5('workspace 1')::uuid, 'machine-online', 'n', 'local', 'gemini', 'online',
                           profile_id => md5('profile fast')::uuid)";
        expect(&mut client, upsert, "t f codex")?;
        // A runtime of the same provider and one of a new profile, between others.
        client.batch_execute(
            "INSERT INTO runtime_profile (id, workspace_id, display_name, protocol_family, command_name)
             VALUES (md5('profile new')::uuid, md5('workspace 1')::uuid, 'new', 'codex', 'new')",
        )?;
        let (fast, new) = (profile(&mut client, "fast")?, profile(&mut client, "new")?);
        let call = register(&format!(
            r#""device_name": "mac", "runtimes": [
                {{"type": "codex", "version": "2"}},
                {{"type": "claude", "profile_id": "{fast}", "name": "mine"}},
                {{"type": "claude"}},
                {{"profile_id": "{new}", "status": "offline"}}]"#
        ));
        expect(
            &mut client,
            &format!("SELECT provider, name, status, inserted, device_info, profile_id FROM {call}"),
            &format!(
                "codex codex (mac) online t mac - 2 \ncodex mine online f mac {fast}\n\
                 claude claude (mac) online f mac \ncodex new (mac) offline t mac {new}"
            ),
        )?;
        expect(
            &mut client,
            "SELECT payload ->> 'action', jsonb_array_length(payload -> 'runtime_ids'), jsonb_array_length(payload -> 'runtimes')
             FROM multica_event_log ORDER BY id DESC LIMIT 1",
            "register 4 4",
        )?;
        let twice = register(&format!(r#""runtimes": [{{"profile_id": "{fast}"}}, {{"profile_id": "{fast}"}}]"#));
        expect_state(&mut client, &format!("SELECT {twice}"), "22023")?;
    }
    Ok(())
}

/// The daemon gets another id. Its runtimes without profile are merged; those of profiles have keys of their own.
fn runtimes_of_profiles_are_not_merged(context: &Context) -> Result<()> {
    let (_database, mut client) = adopted(context, "121")?;
    let of_profiles = "SELECT string_agg(r::text, '' ORDER BY id) FROM agent_runtime AS r WHERE profile_id IS NOT NULL";
    let before = value(&mut client, of_profiles)?;
    expect(
        &mut client,
        r#"SELECT inserted, merged, not_merged, legacy_daemon_id FROM multica_register(md5('workspace 1')::uuid,
            '{"daemon_id": "new", "legacy_daemon_ids": ["Machine-Online"], "runtimes": [{"type": "claude"}]}')"#,
        "t 1 0 Machine-Online",
    )?;
    expect(&mut client, of_profiles, &before)
}

fn unknown_and_disabled_profiles_are_refused(context: &Context) -> Result<()> {
    for generation in ["121", "397"] {
        let (_database, mut client) = adopted(context, generation)?;
        client.batch_execute(
            "UPDATE runtime_profile SET enabled = false WHERE display_name = 'fast';
             UPDATE runtime_profile SET workspace_id = md5('workspace 2')::uuid WHERE display_name = 'careful'",
        )?;
        let rows = "SELECT string_agg(r::text, '' ORDER BY id) FROM agent_runtime AS r";
        let before = value(&mut client, rows)?;
        for (name, state) in [("fast", "55000"), ("careful", "P0002"), ("of nobody", "P0002")] {
            let id = profile(&mut client, name)?;
            let call = register(&format!(r#""runtimes": [{{"type": "codex"}}, {{"profile_id": "{id}"}}]"#));
            expect_state(&mut client, &format!("SELECT {call}"), state)?;
            let upsert = format!(
                "SELECT multica_upsert_runtime(md5('workspace 1')::uuid, 'd', 'n', 'local', 'p', 'online', profile_id => '{id}')"
            );
            expect_state(&mut client, &upsert, state)?;
            let error = client.batch_execute(&upsert).err().context("it was refused before")?;
            let message = error.as_db_error().context("an error of the server")?.message();
            ensure!(message.contains(&id), "the message does not name the profile: {message}");
        }
        expect(&mut client, rows, &before)?;
    }
    Ok(())
}

fn database_without_profiles_refuses_them(context: &Context) -> Result<()> {
    let mut databases = vec![context.fresh_database()?];
    for generation in ["055", "109"] {
        databases.push(adopted(context, generation)?.0);
    }
    for database in databases {
        let mut client = database.connect()?;
        client.batch_execute(
            "INSERT INTO workspace (id, name, slug) VALUES (md5('workspace 1')::uuid, 'w', 'w') ON CONFLICT DO NOTHING;
             UPDATE agent_runtime SET daemon_id = 'another' WHERE daemon_id = 'machine-online'",
        )?;
        let id = profile(&mut client, "fast")?;
        let call = register(&format!(r#""runtimes": [{{"type": "codex", "profile_id": "{id}"}}]"#));
        expect_state(&mut client, &format!("SELECT {call}"), "0A000")?;
        expect_state(
            &mut client,
            &format!(
                "SELECT multica_upsert_runtime(md5('workspace 1')::uuid, 'd', 'n', 'local', 'p', 'online', profile_id => '{id}')"
            ),
            "0A000",
        )?;
        // A failed profile is only reported, because the daemon's other runtimes can be used.
        let call = register(&format!(
            r#""runtimes": [{{"type": "codex"}}], "failed_profiles": [{{"profile_id": "{id}", "reason": "r"}}]"#
        ));
        expect(&mut client, &format!("SELECT provider, inserted, profile_id FROM {call}"), "codex t ")?;
    }
    Ok(())
}

fn failed_profile_is_stored_offline(context: &Context) -> Result<()> {
    for generation in ["121", "397"] {
        let (_database, mut client) = adopted(context, generation)?;
        let (fast, missing) = (profile(&mut client, "fast")?, profile(&mut client, "missing")?);
        // A registration may consist of failed profiles alone.
        for runtimes in [r#""runtimes": [], "#, r#""runtimes": [{"type": "claude"}], "#] {
            let call = register(&format!(
                r#"{runtimes} "device_name": "mac", "cli_version": "3", "capabilities": ["resume", "mcp"], "failed_profiles": [
                    {{"profile_id": "{missing}", "command_name": "miss", "reason": "not found"}},
                    {{"profile_id": "{fast}", "command_name": "fast", "reason": "crashed"}}]"#
            ));
            let metadata = |command: &str, reason: &str| {
                format!(
                    r#"{{"version": "", "cli_version": "3", "launched_by": "", "capabilities": ["resume", "mcp"],
                        "command_name": "{command}", "runtime_profile_failure_reason": "{reason}",
                        "runtime_profile_registration_error": true}}"#
                )
            };
            let rows = format!(
                "SELECT name, provider, status, inserted, merged, CASE profile_id WHEN '{missing}' THEN metadata = '{}'
                     WHEN '{fast}' THEN metadata = '{}' END
                 FROM {call} WHERE profile_id IS NOT NULL",
                metadata("miss", "not found"),
                metadata("fast", "crashed"),
            );
            expect(&mut client, &rows, "missing (mac) claude offline f 0 t\nfast (mac) claude offline f 0 t")?;
            let listed =
                "SELECT jsonb_array_length(payload -> 'runtime_ids') FROM multica_event_log ORDER BY id DESC LIMIT 1";
            expect(&mut client, listed, if runtimes.contains("claude") { "3" } else { "2" })?;
        }
        // The daemon has repaired one profile.
        let call = register(&format!(r#""capabilities": [], "runtimes": [{{"profile_id": "{fast}"}}]"#));
        expect(
            &mut client,
            &format!("SELECT name, status, metadata FROM {call}"),
            r#"fast online {"version": "", "cli_version": "", "launched_by": "", "capabilities": []}"#,
        )?;
        expect_state(&mut client, &format!("SELECT {}", register(r#""failed_profiles": []"#)), "22023")?;
    }
    Ok(())
}

/// Failed profiles that are malformed, unknown, disabled, listed twice or refused by a trigger are left out.
fn bad_failed_profile_does_not_prevent_registration(context: &Context) -> Result<()> {
    let (_database, mut client) = adopted(context, "397")?;
    client.batch_execute(
        "UPDATE runtime_profile SET enabled = false WHERE display_name = 'careful';
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON agent_runtime FOR EACH ROW
         WHEN (NEW.profile_id = md5('profile missing')::uuid) EXECUTE FUNCTION refuse()",
    )?;
    let (fast, careful, missing) =
        (profile(&mut client, "fast")?, profile(&mut client, "careful")?, profile(&mut client, "missing")?);
    let call = register(&format!(
        r#""runtimes": [{{"type": "claude"}}], "failed_profiles": [
            {{"profile_id": "nonsense"}}, {{}}, {{"profile_id": "{careful}"}}, {{"profile_id": "{missing}"}},
            {{"profile_id": "00000000-0000-4000-8000-000000000000"}},
            {{"profile_id": "{fast}", "reason": "first"}}, {{"profile_id": "{fast}", "reason": "second"}}]"#
    ));
    expect(
        &mut client,
        &format!("SELECT profile_id, status, metadata ->> 'runtime_profile_failure_reason' FROM {call}"),
        &format!(" online \n{fast} offline first"),
    )
}

fn new_runtime_gets_common_name(context: &Context) -> Result<()> {
    let (_database, mut client) = adopted(context, "397")?;
    client.batch_execute(
        "INSERT INTO runtime_profile (id, workspace_id, display_name, protocol_family, command_name)
         VALUES (md5('profile new')::uuid, md5('workspace 1')::uuid, 'new', 'codex', 'new')",
    )?;
    let new = profile(&mut client, "new")?;
    for (name, expected) in [
        ("'Lab'", "Lab"),
        ("NULL", ""),
        ("''", ""),
        ("CASE WHEN profile_id IS NULL THEN 'Lab' END", ""),
        ("CASE WHEN profile_id IS NULL THEN 'Lab' ELSE 'Bench' END", ""),
    ] {
        client.batch_execute(&format!(
            "BEGIN; UPDATE agent_runtime SET custom_name = 'Other';
             UPDATE agent_runtime SET custom_name = {name}
             WHERE daemon_id = 'machine-online' AND workspace_id = md5('workspace 1')::uuid"
        ))?;
        let call =
            register(&format!(r#""runtimes": [{{"type": "codex"}}, {{"type": "gemini"}}, {{"profile_id": "{new}"}}]"#));
        let each = format!("SELECT custom_name, inserted FROM {call}");
        expect(&mut client, &each, &[format!("{expected} t").as_str(); 3].join("\n")).context(name)?;
        // A daemon without other runtimes, and a runtime without a daemon.
        for daemon in ["'nowhere'", "NULL"] {
            let upsert = format!(
                "SELECT custom_name, inserted FROM multica_upsert_runtime(
                     md5('workspace 1')::uuid, {daemon}, 'n', 'cloud', 'claude', 'online')"
            );
            expect(&mut client, &upsert, " t")?;
        }
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

fn registration_keeps_what_users_set(context: &Context) -> Result<()> {
    let (_database, mut client) = adopted(context, "397")?;
    let fast = profile(&mut client, "fast")?;
    client.batch_execute(
        "UPDATE agent_runtime SET custom_name = name, visibility = 'public', created_at = '2020-01-01',
             updated_at = '2020-01-01', legacy_daemon_id = 'first' WHERE daemon_id = 'machine-online'",
    )?;
    let call = register(&format!(r#""runtimes": [{{"type": "claude"}}, {{"profile_id": "{fast}"}}]"#));
    expect(
        &mut client,
        &format!(
            "SELECT custom_name, visibility, created_at = '2020-01-01', legacy_daemon_id, updated_at > '2020-01-02',
                 profile_id, inserted FROM {call}"
        ),
        &format!("online public t first t  f\nfast public t first t {fast} f"),
    )
}

fn lookups_return_columns_of_every_generation(context: &Context) -> Result<()> {
    for (generation, expected) in
        [("055", " f "), ("109", "private f "), ("121", "private t "), ("397", "private t Lab")]
    {
        let (_database, mut client) = adopted(context, generation)?;
        if generation == "397" {
            client.batch_execute("UPDATE agent_runtime SET custom_name = 'Lab'")?;
        }
        let runtime = if generation < "121" { "online" } else { "fast" };
        let id = format!("md5('runtime {runtime}')::uuid");
        for call in [
            format!("multica_get_runtime({id})"),
            format!("multica_get_runtime_for_workspace({id}, md5('workspace 1')::uuid)"),
            "multica_list_runtimes(md5('workspace 1')::uuid)".into(),
            "multica_list_runtimes_by_owner(md5('workspace 1')::uuid, md5('user 1')::uuid)".into(),
            format!("multica_heartbeat({id})"),
        ] {
            let sql = format!(
                "SELECT visibility, profile_id IS NOT NULL, custom_name FROM {call} WHERE name = '{runtime}' AND id = {id}"
            );
            expect(&mut client, &sql, expected).with_context(|| format!("{call} in {generation}"))?;
        }
    }
    Ok(())
}

/// The state of a runtime: its row, and which transaction wrote it.
const ROW: &str = "SELECT r.xmin, r.ctid, r FROM agent_runtime AS r WHERE id = md5('runtime online')::uuid";

/// Sets the time of the last heartbeat.
fn seen(client: &mut Client, at: &str, status: &str) -> Result<()> {
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = clock_timestamp() + interval '{at}', updated_at = '2020-01-01', status = '{status}'
         WHERE id = md5('runtime online')::uuid"
    ))?;
    Ok(())
}

const BEATS: [&str; 2] = [
    "SELECT status FROM multica_heartbeat(md5('runtime online')::uuid)",
    "SELECT multica_heartbeat_many(ARRAY[md5('runtime online')::uuid, md5('nothing')::uuid])",
];

fn fresh_heartbeat_writes_nothing(context: &Context) -> Result<()> {
    for generation in ["121", "397"] {
        let (_database, mut client) = adopted(context, generation)?;
        client.batch_execute("SET multica.stale_after = '10min'")?;
        seen(&mut client, "-110s", "online")?;
        for (beat, expected) in BEATS.into_iter().zip(["online", "1"]) {
            let before = values(&mut client, ROW)?;
            expect(&mut client, &format!("BEGIN; {beat}"), expected)?;
            expect(&mut client, "SELECT pg_current_xact_id_if_assigned() IS NULL", "t")?;
            client.batch_execute("COMMIT")?;
            ensure!(values(&mut client, ROW)? == before, "{beat} has written");
        }
        expect(
            &mut client,
            "SELECT stop_task_ids = ARRAY[md5('nothing')::uuid], last_seen_at < now() - interval '100s', name
             FROM multica_heartbeat(md5('runtime online')::uuid, ARRAY[md5('nothing')::uuid])",
            "t t online",
        )?;
        // Of several runtimes, only those are written whose heartbeat counts.
        client.batch_execute("UPDATE agent_runtime SET status = 'offline' WHERE id = md5('runtime cloud')::uuid")?;
        let before = values(&mut client, ROW)?;
        expect(
            &mut client,
            "SELECT multica_heartbeat_many(ARRAY(SELECT md5('runtime ' || name)::uuid
                 FROM unnest('{online,silent,cloud,nothing}'::text[]) AS name))",
            "3",
        )?;
        ensure!(values(&mut client, ROW)? == before, "a batch has written");
        let late = "SELECT count(*) FROM agent_runtime WHERE name IN ('silent', 'cloud') AND status = 'online'
                        AND last_seen_at > now() - interval '10s'";
        expect(&mut client, late, "2")?;
    }
    Ok(())
}

fn heartbeat_that_counts_is_written(context: &Context) -> Result<()> {
    let (_database, mut client) = adopted(context, "397")?;
    for (stale_after, at, status) in [
        ("10min", "-130s", "online"),
        // The clock was set back.
        ("10min", "1h", "online"),
        ("10min", "-1s", "offline"),
        // So short a threshold leaves no time for a heartbeat that is not written.
        ("29s", "-1s", "online"),
    ] {
        client.batch_execute(&format!("SET multica.stale_after = '{stale_after}'"))?;
        for beat in BEATS {
            seen(&mut client, at, status)?;
            let before = value(&mut client, "SELECT clock_timestamp()")?;
            client.batch_execute(beat)?;
            let written = format!(
                "SELECT last_seen_at >= '{before}' AND last_seen_at <= clock_timestamp(), status
                 FROM agent_runtime WHERE id = md5('runtime online')::uuid"
            );
            expect(&mut client, &written, "t online").with_context(|| format!("{beat} after {at}"))?;
        }
    }
    // A runtime that was never seen, and tables without the index.
    client.batch_execute(
        "SET multica.stale_after = '10min'; UPDATE agent_runtime SET last_seen_at = NULL, status = 'online';
         SELECT multica_heartbeat(md5('runtime online')::uuid); DROP INDEX idx_agent_runtime_last_seen_at",
    )?;
    let seen = "SELECT last_seen_at FROM agent_runtime WHERE id = md5('runtime online')::uuid";
    let first = value(&mut client, seen)?;
    ensure!(!first.is_empty(), "the first heartbeat is not written");
    client.batch_execute(BEATS[0])?;
    ensure!(value(&mut client, seen)? != first, "a heartbeat without the index is not written");
    Ok(())
}

/// A server that keeps heartbeats in Redis reads from updated_at when the status has changed.
fn heartbeat_keeps_time_of_last_change(context: &Context) -> Result<()> {
    for (generation, expected) in [("055", "f"), ("109", "t"), ("397", "t")] {
        let (_database, mut client) = adopted(context, generation)?;
        let unchanged = "SELECT updated_at = '2020-01-01', last_seen_at > now() - interval '10s'
                         FROM agent_runtime WHERE id = md5('runtime online')::uuid";
        for beat in BEATS {
            seen(&mut client, "-1h", "online")?;
            client.batch_execute(beat)?;
            expect(&mut client, unchanged, &format!("{expected} t"))
                .with_context(|| format!("{beat} in {generation}"))?;
            seen(&mut client, "-1h", "offline")?;
            client.batch_execute(beat)?;
            expect(&mut client, unchanged, "f t").with_context(|| format!("{beat} in {generation}"))?;
        }
    }
    Ok(())
}

fn waiting_task_is_not_stopped(context: &Context) -> Result<()> {
    for generation in ["109", "397"] {
        let (_database, mut client) = adopted(context, generation)?;
        let all = "ARRAY(SELECT id FROM agent_task_queue WHERE runtime_id = md5('runtime online')::uuid)";
        expect(
            &mut client,
            &format!(
                "SELECT count(*) FILTER (WHERE t.status = 'waiting_local_directory') > 0,
                     bool_and((t.id = ANY (b.stop_task_ids)) = (t.status NOT IN ('dispatched', 'running', 'waiting_local_directory')))
                 FROM multica_heartbeat(md5('runtime online')::uuid, {all}) AS b, agent_task_queue AS t
                 WHERE t.runtime_id = b.id"
            ),
            "t t",
        )?;
    }
    Ok(())
}

fn reason_is_stored_until_registration(context: &Context) -> Result<()> {
    for generation in GENERATIONS {
        let (_database, mut client) = adopted(context, generation)?;
        let runtime = "md5('runtime online')::uuid";
        let state = format!(
            "SELECT status, metadata ->> 'version', metadata -> 'offline_reason' ->> 'code' FROM agent_runtime WHERE id = {runtime}"
        );
        let events = "SELECT count(*) FROM multica_event_log WHERE payload ->> 'action' = 'deregister'";
        let offline = format!("SELECT multica_set_runtime_offline({runtime}");
        expect(&mut client, &format!("{offline}, '{{\"code\": \"not_executable\"}}')"), "t")?;
        expect(&mut client, &state, "offline 1.0 not_executable")?;
        client.batch_execute(&format!("SELECT multica_heartbeat({runtime})"))?;
        expect(&mut client, &state, "online 1.0 not_executable")?;
        client.batch_execute(&format!("{offline})"))?;
        expect(&mut client, &state, "offline 1.0 not_executable")?;
        // The reason arrives after the runtime has gone offline.
        expect(&mut client, &format!("{offline}, '{{\"code\": \"stopped\"}}')"), "f")?;
        expect(&mut client, &state, "offline 1.0 stopped")?;
        expect(&mut client, events, "3")?;
        expect(&mut client, &format!("{offline}, NULL)"), "f")?;
        expect(&mut client, events, "3")?;
        let many = format!("SELECT multica_deregister(ARRAY[{runtime}, md5('runtime silent')::uuid]");
        expect(&mut client, &format!("{many}, '{{\"code\": \"quit\"}}')"), "1")?;
        expect(&mut client, &state, "offline 1.0 quit")?;
        for wrong in ["[]", "1", "null", "\"text\""] {
            expect_state(&mut client, &format!("{offline}, '{wrong}')"), "22023")?;
            expect_state(&mut client, &format!("{many}, '{wrong}')"), "22023")?;
        }
        client.batch_execute(&format!("SELECT {}", register(r#""runtimes": [{"type": "claude", "version": "2"}]"#)))?;
        expect(&mut client, &state, "online 2 ")?;
    }
    Ok(())
}
