//! Verdicts are held while nobody can know whether a daemon is dead.

use anyhow::{Result, ensure};
use postgres::Client;

use crate::cluster::{Cluster, Options, Shutdown};
use crate::context::Context;
use crate::suites::support::{LIMIT, dead_machine, expect, value, values};

/// A runtime is stale after five seconds, and the silence begins after the start of the server.
const READY: &str = "SELECT now() > pg_postmaster_start_time() + interval '12 seconds'";
const HOLDS: &str = "SET multica.hold_verdicts = on; SET multica.stale_after = '5s'";
const SILENCE: &str = "UPDATE agent_runtime SET status = 'online', last_seen_at = now() - interval '8 seconds'";
const SILENCE_OF_MACHINE_1: &str = "UPDATE agent_runtime SET status = 'online', last_seen_at = now() - interval '1 hour' WHERE daemon_id = 'machine-1'";
const BEAT_OF_MACHINE_2: &str = "SELECT FROM multica_heartbeat('00000000-0000-4000-8000-0000000000b2')";
const SWEEP: &str = "SELECT runtimes_offline, tasks_failed > 0 FROM multica_sweep()";
const HELD: &str = "SELECT verdicts_held_because FROM multica_status()";
const NOBODY: &str = "no runtime has sent a heartbeat";

fn ready(client: &mut Client) -> Result<()> {
    Cluster::wait_until("the server has been there for some seconds", LIMIT, || Ok(value(client, READY)? == "t"))
}

/// Verdicts were first held this long ago.
fn hold_since(client: &mut Client, since: &str) -> Result<()> {
    Ok(client.batch_execute(&format!("UPDATE multica_sweep_state SET held_since = now() - interval '{since}'"))?)
}

/// All daemons are silent, so the cause may be here. They get one threshold, once.
pub fn silence_of_all_runtimes_is_held_for_one_threshold(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    let client = &mut client;
    ready(client)?;
    client.batch_execute(&format!("{HOLDS}; {SILENCE}"))?;
    expect(client, HELD, NOBODY)?;
    expect(client, SWEEP, "0 f")?;
    expect(client, "SELECT held_since > now() - interval '1 minute' FROM multica_sweep_state", "t")?;
    // One daemon comes back, and the others get the same time.
    hold_since(client, "0")?;
    client.batch_execute(BEAT_OF_MACHINE_2)?;
    expect(client, SWEEP, "0 f")?;
    // The time is over, and it is not given for the same silence again.
    client.batch_execute(SILENCE)?;
    hold_since(client, "6 seconds")?;
    expect(client, HELD, "")?;
    expect(client, SWEEP, "3 t")?;
    // A later silence is held, unless the caller does not want it.
    client.batch_execute(SILENCE)?;
    hold_since(client, "1 day")?;
    expect(client, SWEEP, "0 f")?;
    client.batch_execute("SET multica.hold_verdicts = off")?;
    expect(client, HELD, "")?;
    expect(client, "SELECT runtimes_offline FROM multica_sweep()", "3")
}

/// While the server was down no daemon could send a heartbeat.
pub fn start_of_server_is_held_for_one_threshold(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("started").set("shared_preload_libraries", ""))?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("dead_machine")?;
    cluster.restart()?;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "SET multica.hold_verdicts = on; SET multica.stale_after = '10min'; {SILENCE_OF_MACHINE_1}; {BEAT_OF_MACHINE_2}"
    ))?;
    expect(&mut client, HELD, "the server has become available")?;
    expect(&mut client, SWEEP, "0 f")?;
    let until = "SELECT verdicts_held_until = pg_postmaster_start_time() + interval '10 minutes' FROM multica_status()";
    expect(&mut client, until, "t")?;
    ready(&mut client)?;
    client.batch_execute(&format!("SET multica.stale_after = '5s'; {BEAT_OF_MACHINE_2}"))?;
    expect(&mut client, HELD, "")?;
    expect(&mut client, "SELECT runtimes_offline FROM multica_sweep()", "1")
}

/// Without shared memory, the timeline tells that the server was promoted.
pub fn promotion_is_noticed_without_preloading(context: &Context) -> Result<()> {
    let primary = context.cluster(&Options::new("first").set("shared_preload_libraries", ""))?;
    let database = context.fresh_database_in(&primary)?;
    database.fixture("dead_machine")?;
    let mut client = database.connect()?;
    ready(&mut client)?;
    // A sweep that does something stores the timeline.
    client.batch_execute(&format!("{HOLDS}; {BEAT_OF_MACHINE_2}"))?;
    expect(&mut client, SWEEP, "1 t")?;
    expect(&mut client, "SELECT timeline, held_since FROM multica_sweep_state", "00000001 ")?;
    let standby = primary.standby(&context.project, &Options::new("second").set("shared_preload_libraries", ""))?;
    primary.stop(Shutdown::Fast)?;
    let mut client = standby.connect(&database.name)?;
    ready(&mut client)?;
    client.batch_execute(HOLDS)?;
    standby.promote()?;
    client.batch_execute(&format!("{SILENCE_OF_MACHINE_1}; {BEAT_OF_MACHINE_2}"))?;
    expect(&mut client, HELD, "the server was promoted")?;
    expect(&mut client, SWEEP, "0 f")?;
    let stored = "SELECT timeline, held_since > now() - interval '1 minute' FROM multica_sweep_state";
    expect(&mut client, stored, "00000002 t")?;
    hold_since(&mut client, "10 minutes")?;
    client.batch_execute(BEAT_OF_MACHINE_2)?;
    expect(&mut client, "SELECT runtimes_offline FROM multica_sweep()", "1")
}

/// A machine that dies while others go on is dead.
pub fn one_machine_among_others_gets_its_verdict_at_once(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    ready(&mut client)?;
    client.batch_execute(&format!("{HOLDS}; {BEAT_OF_MACHINE_2}"))?;
    expect(&mut client, HELD, "")?;
    expect(&mut client, "SELECT runtimes_offline FROM multica_sweep()", "1")
}

/// The clock was set back, and the guard is on.
pub fn heartbeat_in_the_future_is_found_beside_guard(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    ready(&mut client)?;
    client.batch_execute(&format!(
        "{HOLDS}; UPDATE agent_runtime SET status = 'online', last_seen_at = now() + interval '1 day' WHERE daemon_id = 'machine-1';
         {BEAT_OF_MACHINE_2}; SELECT FROM multica_sweep()"
    ))?;
    expect(&mut client, "SELECT last_seen_at <= now() FROM agent_runtime WHERE daemon_id = 'machine-1'", "t")
}

/// In the tables that install makes no index has the last heartbeat, so each search for it reads all runtimes.
pub fn idle_sweep_reads_runtimes_once(context: &Context) -> Result<()> {
    let (_database, mut client) = dead_machine(context)?;
    ready(&mut client)?;
    client.batch_execute(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, n, n, 'local', 'claude', 'online', now() FROM workspace AS w, generate_series(1, 1000) AS n;
         UPDATE agent_runtime SET last_seen_at = now() + interval '30 seconds', status = 'online'",
    )?;
    client.batch_execute(&format!("{HOLDS}; SELECT FROM multica_sweep()"))?;
    // The counters also have what this session did before.
    let counters = "SELECT seq_scan, seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'agent_runtime'::regclass";
    let rows = values(&mut client, &format!("BEGIN; {counters}; SELECT FROM multica_sweep(); {counters}; ROLLBACK"))?;
    let figures = |row: &String| row.split(' ').map(str::parse).collect::<std::result::Result<Vec<i64>, _>>();
    let (before, after) = (figures(&rows[0])?, figures(&rows[2])?);
    let read: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    // The stages look up the runtimes of the few tasks in flight.
    ensure!(read[..2] == [1, 1003] && read[2] < 100, "sequential scans, their rows, rows by index: {read:?}");
    Ok(())
}
