//! Injects each fault.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::Client;

use super::pair::{LIMIT, Pair};
use super::plan::Fault;
use crate::cluster::{Cluster, Shutdown};
use crate::storm::{Storm, random_call};

/// How long a session keeps all agents locked: more than twice the `lock_timeout` of a client.
const HOLD: Duration = Duration::from_millis(900);
/// How long the disk stays full.
const FULL: Duration = Duration::from_millis(700);
/// How long the standby is down.
const DOWN: Duration = Duration::from_millis(300);

const CLIENTS: &str = "SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid";
const CLIENTS_AND_SERVERS_OWN: &str = "SELECT pid FROM pg_stat_activity
     WHERE backend_type IN ('client backend', 'walsender', 'multica launcher', 'multica worker') AND pid <> pg_backend_pid()
     ORDER BY backend_type <> 'client backend' DESC, pid";

/// Injects a fault, and returns after both servers run again. Returns false if the fault is not possible on this
/// machine.
pub fn inject(fault: Fault, pair: &mut Pair, storm: &Storm, database: &str, rng: &mut Rng) -> Result<bool> {
    match fault {
        Fault::KillServer => {
            pair.primary.kill()?;
            pair.primary.start()?;
        }
        Fault::KillPostmaster => {
            pair.primary.behead()?;
            pair.primary.start()?;
        }
        Fault::StopImmediately => {
            pair.primary.stop(Shutdown::Immediate)?;
            pair.primary.start()?;
        }
        Fault::Failover { late_fence, rewind } => {
            pair.fail_over(storm, database, late_fence, rewind)?;
        }
        Fault::KillBackend => kill_backend(&pair.primary, database, rng)?,
        Fault::TerminateBackend => terminate(&pair.primary, database, rng)?,
        Fault::KillIdleClient => kill_client(&pair.primary, database, rng, "")?,
        Fault::KillBusyClient => kill_client(&pair.primary, database, rng, "SELECT pg_sleep(0.5);")?,
        Fault::HoldLocks => hold_locks(&pair.primary, database)?,
        Fault::FillDisk => {
            storm.expect_full_disk(true);
            let Some(ballast) = pair.primary.fill_disk()? else {
                return Ok(false);
            };
            std::thread::sleep(FULL);
            drop(ballast);
        }
        Fault::KillStandby => {
            pair.standby.kill()?;
            std::thread::sleep(DOWN);
            pair.standby.start()?;
        }
    }
    Ok(true)
}

/// Connects to the server, which may still be in recovery and refuse connections.
fn connect_when_possible(cluster: &Cluster, database: &str) -> Result<Client> {
    let mut client = None;
    Cluster::wait_until("the server takes connections", LIMIT, || {
        client = cluster.connect(database).ok();
        Ok(client.is_some())
    })?;
    client.context("no database session")
}

fn pick(client: &mut Client, sql: &str, rng: &mut Rng) -> Result<Option<i32>> {
    let rows = client.query(sql, &[])?;
    Ok(rng.choice(&rows).map(|row| row.get(0)))
}

/// Kills the backend of a client. The postmaster then ends all other sessions too. The function waits until its own
/// open session has failed, which shows that this has happened.
fn kill_backend(cluster: &Cluster, database: &str, rng: &mut Rng) -> Result<()> {
    let mut observer = connect_when_possible(cluster, database)?;
    let Some(victim) = pick(&mut observer, CLIENTS, rng)? else {
        return Ok(());
    };
    kill(Pid::from_raw(victim), Signal::SIGKILL)?;
    Cluster::wait_until("the server ends all sessions", LIMIT, || Ok(observer.batch_execute("SELECT").is_err()))?;
    connect_when_possible(cluster, database).map(drop)
}

/// Half of the time, the victim may also be a process of the server.
fn terminate(cluster: &Cluster, database: &str, rng: &mut Rng) -> Result<()> {
    let mut client = connect_when_possible(cluster, database)?;
    let victims = if rng.bool() { CLIENTS } else { CLIENTS_AND_SERVERS_OWN };
    if let Some(victim) = pick(&mut client, victims, rng)? {
        client.execute("SELECT pg_terminate_backend($1)", &[&victim])?;
    }
    Ok(())
}

/// Kills a `psql` that has a transaction open. If a call is refused, `psql` has already exited.
fn kill_client(cluster: &Cluster, database: &str, rng: &mut Rng, then: &str) -> Result<()> {
    let (sql, _) = random_call(rng);
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
        // psql does not read the input if the server refused the connection.
        let _ = writeln!(input, "BEGIN; {sql}; {then}");
    }
    std::thread::sleep(Duration::from_millis(rng.u64(50..400)));
    psql.kill()?;
    psql.wait()?;
    Ok(())
}

/// Locks all agents in the order of their ids, as all calls do.
fn hold_locks(cluster: &Cluster, database: &str) -> Result<()> {
    let mut client = connect_when_possible(cluster, database)?;
    client.batch_execute("BEGIN; SELECT FROM agent ORDER BY id FOR UPDATE")?;
    std::thread::sleep(HOLD);
    client.batch_execute("ROLLBACK")?;
    Ok(())
}
