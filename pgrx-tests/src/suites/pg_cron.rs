//! Sweeps by pg_cron, as Debian packages it, while the worker is switched off.

use std::time::Duration;

use anyhow::{Result, ensure};
use postgres::Client;
use postgres::error::SqlState;

use super::Suite;
use super::support::{expect, value};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![pg_cron_sweeps_as_table_owner,];

/// pg_cron starts a job at a full minute.
const TWO_MINUTES: Duration = Duration::from_secs(120);

/// Only pg_cron sweeps here. The tasks of the silent runtime are failed, and retries are queued for the tasks that may
/// have one.
pub fn pg_cron_sweeps_as_table_owner(context: &Context) -> Result<()> {
    context.copy.add_pg_cron(&context.project)?;
    let cluster = context.cluster(&Options::new("cron"))?;
    let database = context.empty_database_in(&cluster)?;
    database.connect()?.batch_execute(
        "CREATE ROLE owner LOGIN; GRANT CREATE ON SCHEMA public TO owner;
         CREATE EXTENSION multica; SELECT multica_grant('owner', 'operator')",
    )?;
    let mut owner = database.connect_as("owner")?;
    owner.batch_execute("SELECT FROM multica_install()")?;
    drop(owner);
    preload(&cluster, &database)?;

    let mut superuser = database.connect()?;
    superuser.batch_execute("CREATE EXTENSION pg_cron")?;
    check_privilege_and_schedules(&database)?;
    database.fixture("grant/world")?;
    superuser.batch_execute(
        "UPDATE agent_runtime SET last_seen_at = now() + CASE daemon_id WHEN 'machine' THEN interval '-1 hour' ELSE interval '1 hour' END",
    )?;
    let mut owner = database.connect_as("owner")?;
    let job = value(&mut owner, "SELECT cron.schedule('multica sweep', '* * * * *', 'CALL multica_sweep_all()')")?;
    let run = format!("SELECT status FROM cron.job_run_details WHERE jobid = {job} ORDER BY runid LIMIT 1");
    Cluster::wait_until("pg_cron has run the sweep", TWO_MINUTES, || {
        let status = value(&mut superuser, &run)?;
        Ok(status == "succeeded" || status == "failed")
    })?;
    expect(
        &mut superuser,
        &format!(
            "SELECT status, username, command FROM cron.job_run_details WHERE jobid = {job} ORDER BY runid LIMIT 1"
        ),
        "succeeded owner CALL multica_sweep_all()",
    )?;
    expect(
        &mut superuser,
        "SELECT r.daemon_id, r.status FROM agent_runtime AS r WHERE r.daemon_id IN ('machine', 'theirs') ORDER BY 1",
        "machine offline\ntheirs online",
    )?;
    // The tasks in flight were one of an issue, one of a chat and one of an autopilot run; the last is never retried.
    expect(
        &mut superuser,
        "SELECT count(*), count(c.id), count(*) FILTER (WHERE c.status = 'queued' AND c.attempt = 2)
         FROM agent_task_queue AS t LEFT JOIN agent_task_queue AS c ON c.parent_task_id = t.id
         WHERE t.status = 'failed' AND t.failure_reason = 'runtime_offline'",
        "3 2 2",
    )?;
    let swept = value(&mut superuser, "SELECT last_tasks_failed FROM multica_status()")?;
    ensure!(swept == "3", "the sweep counted {swept} failed tasks");
    Ok(())
}

/// As documented, a role needs USAGE on the schema of pg_cron, schedules in seconds need pg_cron 1.5, and a database
/// other than that of pg_cron can be swept.
fn check_privilege_and_schedules(database: &Database) -> Result<()> {
    let mut superuser = database.connect()?;
    let mut owner = database.connect_as("owner")?;
    let schedule = |client: &mut Client, schedule: &str| -> Result<(), Option<SqlState>> {
        let sql = format!("SELECT cron.schedule('probe', '{schedule}', 'CALL multica_sweep_all()')");
        let scheduled = client.batch_execute(&sql);
        scheduled.map_err(|error| error.code().cloned())
    };
    let refused = schedule(&mut owner, "* * * * *");
    ensure!(refused == Err(Some(SqlState::INSUFFICIENT_PRIVILEGE)), "without USAGE: {refused:?}");
    superuser.batch_execute("GRANT USAGE ON SCHEMA cron TO owner")?;
    let knows_seconds =
        value(&mut superuser, "SELECT extversion >= '1.5' FROM pg_extension WHERE extname = 'pg_cron'")? == "t";
    let accepted = schedule(&mut owner, "30 seconds").is_ok();
    ensure!(accepted == knows_seconds, "'30 seconds' accepted: {accepted}, version 1.5 or later: {knows_seconds}");
    schedule(&mut owner, "* * * * *").map_err(|code| anyhow::anyhow!("{code:?}"))?;
    owner.batch_execute("SELECT cron.unschedule('probe')")?;
    superuser.batch_execute(&format!(
        "SELECT cron.schedule_in_database('probe', '* * * * *', 'CALL multica_sweep_all()', '{}', 'owner')",
        database.name
    ))?;
    expect(
        &mut superuser,
        "SELECT database = current_database(), username FROM cron.job WHERE jobname = 'probe'",
        "t owner",
    )?;
    superuser.batch_execute("DELETE FROM cron.job WHERE jobname = 'probe'")?;
    Ok(())
}

/// Restarts the server with pg_cron preloaded, whose tables are in this database.
fn preload(cluster: &Cluster, database: &Database) -> Result<()> {
    // The file is written because ALTER SYSTEM refuses settings of a library that is not loaded.
    let file = cluster.data().join("postgresql.auto.conf");
    let settings = format!(
        "shared_preload_libraries = 'multica, pg_cron'\ncron.database_name = '{}'\ncron.host = '{}'\n",
        database.name,
        cluster.socket_folder().display()
    );
    std::fs::write(file, settings)?;
    cluster.restart()
}
