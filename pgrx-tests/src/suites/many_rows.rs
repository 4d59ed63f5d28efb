//! Calls on many rows whose caller waits for them. A refused row does not prevent the write of the other rows, and the
//! caller gets a warning.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use postgres::{Client, NoTls};

use super::Suite;
use super::support::{dead_machine, expect, expect_state, id, value};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    refused_heartbeat_skips_only_its_runtime,
    many_refused_heartbeats_skip_only_their_runtimes,
    deferred_trigger_skips_only_its_runtime,
    accepted_heartbeats_use_one_subtransaction,
    server_error_fails_all_heartbeats,
    refused_runtime_does_not_block_deregistration,
    many_refused_orphans_do_not_block_recovery,
];

/// A database session that collects its warnings.
struct WarningSession {
    client: Client,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl WarningSession {
    fn connect(database: &Database) -> Result<Self> {
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&warnings);
        let mut config = database.cluster().config(&database.name);
        config.notice_callback(move |notice| {
            let mut warnings = collected.lock().unwrap_or_else(PoisonError::into_inner);
            warnings.push(notice.message().to_string());
        });
        let client = config.connect(NoTls)?;
        Ok(Self { client, warnings })
    }

    /// Returns and clears the collected warnings.
    fn take_warnings(&self) -> Vec<String> {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *warnings)
    }
}

/// The fleet with 90 more runtimes, r1 to r90, whose last heartbeat was ten seconds ago.
fn fleet_of_90(context: &Context) -> Result<(Database<'_>, WarningSession)> {
    let (database, mut client) = dead_machine(context)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT md5('r' || n)::uuid, w.id, 'm' || n, 'r' || n, 'local', 'claude', 'online', now() - interval '10 s'
         FROM workspace AS w, generate_series(1, 90) AS n",
    )?;
    let session = WarningSession::connect(&database)?;
    Ok((database, session))
}

const ALL_RUNTIMES: &str = "ARRAY(SELECT r.id FROM agent_runtime AS r WHERE r.name ~ '^r[0-9]+$' ORDER BY r.id)";

/// Creates a trigger that raises this error for rows of a table where the condition holds.
fn refuse_updates(client: &mut Client, table: &str, when: &str, state: &str) -> Result<()> {
    client.batch_execute(&format!(
        "CREATE FUNCTION refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = '{state}'; END $$;
         CREATE TRIGGER refuse_some BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse_some()"
    ))?;
    Ok(())
}

fn expect_heartbeats(client: &mut Client, expected: &str) -> Result<()> {
    let sql = format!("SELECT multica_heartbeat_many({ALL_RUNTIMES})");
    expect(client, &sql, expected)
}

/// Returns the number of runtimes whose heartbeat was just written, and the number of runtimes that are online.
const SEEN: &str = "
    SELECT count(*) FILTER (WHERE last_seen_at > now() - interval '5 s'), count(*) FILTER (WHERE status = 'online')
    FROM agent_runtime WHERE name ~ '^r[0-9]+$'";

fn refused_heartbeat_skips_only_its_runtime(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    refuse_updates(client, "agent_runtime", "NEW.name = 'r17'", "P0001")?;
    client.batch_execute("UPDATE agent_runtime SET status = 'offline' WHERE name = 'r3'")?;
    expect_heartbeats(client, "89")?;
    expect(client, SEEN, "89 90")?;
    expect(
        client,
        "SELECT payload ->> 'action' FROM multica_event_log WHERE payload -> 'runtime_ids' @> to_jsonb(ARRAY[md5('r3')::uuid])",
        "online",
    )?;
    let r17 = value(client, "SELECT md5('r17')::uuid")?;
    let warnings = session.take_warnings();
    ensure!(warnings == [format!("multica skips {r17}: not this one (SQLSTATE P0001)")], "{warnings:?}");
    // A call whose only runtime is refused also raises a warning and no error.
    let client = &mut session.client;
    let sql = "SELECT multica_heartbeat_many(ARRAY[md5('r17')::uuid])";
    expect(client, sql, "0")
}

/// A check refuses every third runtime. The others are written in one subtransaction, and the warnings name ten rows.
fn many_refused_heartbeats_skip_only_their_runtimes(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    client.batch_execute(
        "ALTER TABLE agent_runtime ADD CHECK (name !~ '^r[0-9]+$' OR substr(name, 2)::int % 3 > 0 OR updated_at < now() - interval '5 s') NOT VALID;
         UPDATE agent_runtime SET updated_at = now() - interval '1 h' WHERE name ~ '^r[0-9]+$' AND substr(name, 2)::int % 3 = 0",
    )?;
    expect_heartbeats(client, "60")?;
    expect(client, SEEN, "60 90")?;
    expect(
        client,
        "SELECT count(DISTINCT xmin::text) FROM agent_runtime WHERE last_seen_at > now() - interval '5 s' AND name ~ '^r[0-9]+$'",
        "1",
    )?;
    let warnings = session.take_warnings();
    ensure!(warnings.len() == 11 && warnings[10] == "multica skips 20 more rows", "{warnings:?}");
    Ok(())
}

fn deferred_trigger_skips_only_its_runtime(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    client.batch_execute(
        "CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late'; END $$;
         CREATE CONSTRAINT TRIGGER refuse_late AFTER UPDATE ON agent_runtime DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.name = 'r17') EXECUTE FUNCTION refuse_late()",
    )?;
    expect_heartbeats(client, "89")?;
    expect(client, SEEN, "89 90")
}

/// The usual call must not pay for refusals that do not occur.
fn accepted_heartbeats_use_one_subtransaction(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    client.batch_execute("BEGIN")?;
    expect_heartbeats(client, "90")?;
    // A row is written by the subtransaction whose id follows that of the transaction.
    expect(
        client,
        "SELECT DISTINCT xmin::text::bigint - pg_current_xact_id()::xid::text::bigint FROM agent_runtime
         WHERE last_seen_at > now() - interval '5 s' AND name ~ '^r[0-9]+$'",
        "1",
    )?;
    client.batch_execute("COMMIT")?;
    ensure!(session.take_warnings().is_empty(), "nothing was refused");
    Ok(())
}

/// A full disk (53100) is not caused by a row. The call fails with this error, and nothing is written.
fn server_error_fails_all_heartbeats(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    refuse_updates(client, "agent_runtime", "NEW.name = 'r17'", "53100")?;
    let sql = format!("SELECT multica_heartbeat_many({ALL_RUNTIMES})");
    expect_state(client, &sql, "53100")?;
    expect(client, SEEN, "0 90")
}

fn refused_runtime_does_not_block_deregistration(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    refuse_updates(client, "agent_runtime", "NEW.name = 'r17'", "P0001")?;
    let sql = format!("SELECT multica_deregister({ALL_RUNTIMES})");
    expect(client, &sql, "89")?;
    expect(client, SEEN, "0 1")?;
    expect(
        client,
        "SELECT jsonb_array_length(payload -> 'runtime_ids') FROM multica_event_log WHERE payload ->> 'action' = 'deregister'",
        "89",
    )?;
    ensure!(session.take_warnings().len() == 1, "one runtime is named");
    Ok(())
}

/// Recovery has no limit of refusals as a sweep has, because otherwise tasks of a restarted daemon would stay in flight
/// until they time out.
fn many_refused_orphans_do_not_block_recovery(context: &Context) -> Result<()> {
    let (_database, mut session) = fleet_of_90(context)?;
    let client = &mut session.client;
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, status, priority, dispatched_at, started_at, max_attempts)
         SELECT {c2}, {b2}, 'running', n % 5, now(), now(), 1 FROM generate_series(1, 100) AS n",
        c2 = id("c2"),
        b2 = id("b2"),
    ))?;
    refuse_updates(client, "agent_task_queue", "NEW.priority = 1", "P0001")?;
    let orphans = format!(
        "SELECT count(*) FROM agent_task_queue WHERE runtime_id = {} AND priority <> 1 AND status IN ('dispatched', 'running')",
        id("b2")
    );
    let before = value(client, &orphans)?;
    let sql = format!("SELECT orphaned FROM multica_recover_orphans({})", id("b2"));
    expect(client, &sql, &before)?;
    expect(client, &orphans, "0")?;
    expect(client, "SELECT count(*) FROM agent_task_queue WHERE priority = 1 AND status = 'running'", "20")?;
    expect(
        client,
        "SELECT count(*) FROM agent_task_queue AS t WHERE t.status = 'failed' AND NOT EXISTS (
             SELECT FROM multica_event_log AS e WHERE e.type = 'task:failed' AND e.payload ->> 'task_id' = t.id::text)",
        "0",
    )
}
