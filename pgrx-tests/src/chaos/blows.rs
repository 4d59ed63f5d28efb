//! How each thing goes wrong.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::Client;

use super::pair::{LIMIT, Pair};
use super::plan::Blow;
use crate::cluster::{Cluster, Shutdown};
use crate::storm::{Storm, wish};

/// How long somebody thinks over locked agents: twice the patience of a client.
const HOLD: Duration = Duration::from_millis(900);
/// How long the disk stays full.
const FULL: Duration = Duration::from_millis(700);
/// How long the standby is away.
const AWAY: Duration = Duration::from_millis(300);

const CLIENTS: &str = "SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid";
const ANYBODY: &str = "SELECT pid FROM pg_stat_activity
     WHERE backend_type IN ('client backend', 'walsender', 'multica launcher', 'multica worker') AND pid <> pg_backend_pid()
     ORDER BY backend_type <> 'client backend' DESC, pid";

/// Strikes, and has the servers up again afterwards. False: this cannot be done here.
pub fn strike(blow: Blow, pair: &mut Pair, storm: &Storm, database: &str, rng: &mut Rng) -> Result<bool> {
    match blow {
        Blow::KillServer => {
            pair.primary.kill()?;
            pair.primary.start()?;
        }
        Blow::KillPostmaster => {
            pair.primary.behead()?;
            pair.primary.start()?;
        }
        Blow::StopImmediately => {
            pair.primary.stop(Shutdown::Immediate)?;
            pair.primary.start()?;
        }
        Blow::Failover { late_fence, rewind } => {
            pair.fail_over(storm, database, late_fence, rewind)?;
        }
        Blow::KillBackend => kill_backend(&pair.primary, database, rng)?,
        Blow::Terminate => terminate(&pair.primary, database, rng)?,
        Blow::VanishIdle => vanish(&pair.primary, database, rng, "")?,
        Blow::VanishBusy => vanish(&pair.primary, database, rng, "SELECT pg_sleep(0.5);")?,
        Blow::HoldLocks => hold_locks(&pair.primary, database)?,
        Blow::FillDisk => {
            storm.expect_full_disk(true);
            let Some(ballast) = pair.primary.fill_disk()? else {
                return Ok(false);
            };
            std::thread::sleep(FULL);
            drop(ballast);
        }
        Blow::KillStandby => {
            pair.standby.kill()?;
            std::thread::sleep(AWAY);
            pair.standby.start()?;
        }
    }
    Ok(true)
}

/// A session as soon as there can be one: the server may just be recovering.
fn patiently(cluster: &Cluster, database: &str) -> Result<Client> {
    let mut client = None;
    Cluster::wait_until("the server takes connections", LIMIT, || {
        client = cluster.connect(database).ok();
        Ok(client.is_some())
    })?;
    client.context("no session")
}

fn pick(client: &mut Client, among: &str, rng: &mut Rng) -> Result<Option<i32>> {
    let rows = client.query(among, &[])?;
    Ok(rng.choice(&rows).map(|row| row.get(0)))
}

/// The postmaster ends everybody else too: a session that was there before tells when.
fn kill_backend(cluster: &Cluster, database: &str, rng: &mut Rng) -> Result<()> {
    let mut witness = patiently(cluster, database)?;
    let Some(victim) = pick(&mut witness, CLIENTS, rng)? else {
        return Ok(());
    };
    kill(Pid::from_raw(victim), Signal::SIGKILL)?;
    Cluster::wait_until("the server ends all sessions", LIMIT, || Ok(witness.batch_execute("SELECT").is_err()))?;
    patiently(cluster, database).map(drop)
}

/// One in two is none of the clients.
fn terminate(cluster: &Cluster, database: &str, rng: &mut Rng) -> Result<()> {
    let mut client = patiently(cluster, database)?;
    let among = if rng.bool() { CLIENTS } else { ANYBODY };
    if let Some(victim) = pick(&mut client, among, rng)? {
        client.execute("SELECT pg_terminate_backend($1)", &[&victim])?;
    }
    Ok(())
}

/// A process of its own does something in a transaction, and is gone. Refused, it says no more.
fn vanish(cluster: &Cluster, database: &str, rng: &mut Rng, then: &str) -> Result<()> {
    let (sql, _) = wish(rng);
    let mut psql = cluster
        .tool("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .args(["--dbname", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start psql")?;
    if let Some(input) = &mut psql.stdin {
        // Nobody reads it if the server has refused the session.
        let _ = writeln!(input, "BEGIN; {sql}; {then}");
    }
    std::thread::sleep(Duration::from_millis(rng.u64(50..400)));
    psql.kill()?;
    psql.wait()?;
    Ok(())
}

/// In the order of their ids, as everybody does.
fn hold_locks(cluster: &Cluster, database: &str) -> Result<()> {
    let mut client = patiently(cluster, database)?;
    client.batch_execute("BEGIN; SELECT FROM agent ORDER BY id FOR UPDATE")?;
    std::thread::sleep(HOLD);
    client.batch_execute("ROLLBACK")?;
    Ok(())
}
