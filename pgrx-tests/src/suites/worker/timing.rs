//! A runtime is set offline when it becomes stale, not only at the next tick of the launcher.

use std::io::Write;
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use super::{alter, fleet, holds, silence, switch_on, ticking, wait_for, wait_until_swept};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// A database that has been swept once, on a server whose next tick is later than the end of the test.
fn between_ticks<'a>(context: &Context, cluster: &'a Cluster, stale_after: &str) -> Result<Database<'a>> {
    let database = fleet(context, cluster)?;
    switch_on(&database)?;
    silence(&database)?;
    wait_until_swept(&database)?;
    alter(&database, &format!("SET multica.stale_after = '{stale_after}'"))?;
    cluster.connect("postgres")?.batch_execute("ALTER SYSTEM SET multica.sweep_interval = '10min'")?;
    cluster.reload()?;
    Ok(database)
}

/// A process that registers a runtime and sends heartbeats until it is killed.
fn daemon(cluster: &Cluster, database: &Database, name: &str) -> Result<Child> {
    let mut process = cluster
        .tool("psql")
        .args(["--no-psqlrc", "--quiet", &database.name])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start psql")?;
    let life = format!(
        "SELECT id FROM multica_register('00000000-0000-4000-8000-0000000000a1',
             '{{\"daemon_id\": \"{name}\", \"runtimes\": [{{\"type\": \"claude\"}}]}}') \\gset\n\
         SELECT FROM multica_heartbeat(:'id') \\watch 0.2\n"
    );
    let pipe = process.stdin.as_mut().context("psql reads no input")?;
    pipe.write_all(life.as_bytes())?;
    pipe.flush()?;
    wait_for(
        database,
        "the daemon sends heartbeats",
        &format!("SELECT count(*) = 1 FROM agent_runtime WHERE daemon_id = '{name}' AND last_seen_at > created_at"),
    )?;
    Ok(process)
}

/// From the last heartbeat of a killed daemon until a claim can return the retry it takes at most stale_after and one
/// second. The daemon registers while no runtime is online, so no earlier sweep has scheduled a sweep for its runtime.
pub fn killed_daemon_is_found_within_one_second(context: &Context) -> Result<()> {
    let cluster = ticking(context, "killed")?;
    let database = between_ticks(context, &cluster, "2s")?;
    let mut client = database.connect()?;
    for round in 0..3 {
        let name = format!("laptop-{round}");
        let mut daemon = daemon(&cluster, &database, &name)?;
        let task: Uuid = client
            .query_one(
                "WITH it AS (
                     INSERT INTO agent (workspace_id, name, runtime_id)
                     SELECT r.workspace_id, r.daemon_id, r.id FROM agent_runtime AS r WHERE r.daemon_id = $1
                     RETURNING id, runtime_id
                 )
                 INSERT INTO agent_task_queue (agent_id, runtime_id, context, status, dispatched_at, started_at)
                 SELECT it.id, it.runtime_id, '{}', 'running', now(), now() FROM it
                 RETURNING id",
                &[&name],
            )?
            .get(0);
        daemon.kill()?;
        daemon.wait()?;
        let retry = format!("t.parent_task_id = '{task}' AND t.status = 'queued'");
        wait_for(
            &database,
            "the retry is queued",
            &format!("SELECT EXISTS (SELECT FROM agent_task_queue AS t WHERE {retry})"),
        )?;
        let late: f64 = client
            .query_one(
                &format!(
                    "SELECT extract(epoch FROM t.created_at - r.last_seen_at)::double precision - 2
                     FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id WHERE {retry}"
                ),
                &[],
            )?
            .get(0);
        ensure!(late < 1.0, "found {late} s after its stale_after");
    }
    Ok(())
}

/// A runtime that becomes stale during a sweep was not stale for that sweep; the next sweep follows at once.
pub fn runtime_stale_during_sweep_is_found_before_next_tick(context: &Context) -> Result<()> {
    let cluster = ticking(context, "during")?;
    let database = between_ticks(context, &cluster, "5s")?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE FUNCTION expire() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             UPDATE agent_runtime SET last_seen_at = clock_timestamp() - interval '5 s' WHERE daemon_id = 'machine-2';
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER expire BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION expire();
         INSERT INTO agent_task_queue (agent_id, runtime_id, context, status, dispatched_at, started_at)
         SELECT a.id, a.runtime_id, '{}', 'running', now(), now() FROM agent AS a WHERE a.name = 'builder';
         UPDATE agent_runtime SET status = 'online', last_seen_at = now()
             - CASE daemon_id WHEN 'machine-1' THEN interval '1 hour' ELSE interval '0' END",
    )?;
    wait_until_swept(&database)?;
    let at_once = "SELECT updated_at - last_seen_at < interval '8 s' FROM agent_runtime WHERE daemon_id = 'machine-2'";
    ensure!(holds(&mut client, at_once)?, "found only at the next tick");
    Ok(())
}
