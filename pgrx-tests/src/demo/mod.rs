//! `cargo demo`: a fleet works on issues while its machines are killed, paused and renamed at random; the extension
//! fails and retries the tasks that they leave behind.

mod checks;
mod daemon;
mod machine;
mod scenario;
mod session_folder;
mod timeline;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use fastrand::Rng;
use postgres::Client;

use crate::cluster::{Cluster, Options, remove_kept, remove_leftovers};
use crate::extension::{self, Variant};
use crate::project::{MAJOR, Project};
use crate::tools;
pub use daemon::{Identity, run as run_daemon};
pub use machine::Machine;
use timeline::Timeline;

/// The command line of a demo.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Leave the cluster running and print how to connect to it
    #[arg(long)]
    keep: bool,
    /// Only stop the clusters that earlier demos of this checkout have kept
    #[arg(long)]
    stop: bool,
    /// Repeat the random choices of an earlier demo; how far each process is at that time still varies
    #[arg(long)]
    seed: Option<u64>,
    /// Install nothing, and fail with a list of what is missing
    #[arg(long)]
    no_install: bool,
}

const DATABASE: &str = "fleet";

/// Runs the scenario and checks its result.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    if arguments.stop {
        println!("{} kept cluster(s) stopped", remove_kept(project)?);
        return Ok(ExitCode::SUCCESS);
    }
    let project = &project.without_installing(arguments.no_install);
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, MAJOR)?;
        extension::install(project, &tools, Variant::Dev)?
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let started = Instant::now();
    let options = Options::new("demo")
        .set("multica.sweep_interval", "1s")
        .set("multica.redeliver_after", "3s")
        .set("multica.prepare_lease", "2s");
    let mut cluster = Cluster::create(project, &copy, &options)?;
    println!("A private cluster is running, with the library preloaded and a sweep every second.");
    let mut client = prepare(&cluster)?;
    let mut timeline = Timeline::new(cluster.connect(DATABASE)?);
    println!("\nThe seed is {seed}; --seed {seed} repeats the same random choices.");
    let outcome = scenario::run(project, &cluster, &mut client, &mut timeline, &mut Rng::with_seed(seed))
        .and_then(|mut fleet| checks::run(project, &mut client, &timeline.printed, &mut fleet));
    if let Err(error) = &outcome {
        println!("\nThe demo failed: {error:#}");
        println!("\nThe end of the server's log:\n{}", tail(&cluster.log()?));
    }
    println!("\nThe demo took {:.1} s.", started.elapsed().as_secs_f64());
    if arguments.keep {
        let psql = copy.program("psql");
        println!(
            "\nThe cluster keeps running and is swept; the daemons end with this process. Connect:\n  {} -h {} -U postgres {DATABASE}",
            psql.display(),
            cluster.socket_folder().display()
        );
        println!("Stop it:\n  cargo demo --stop");
        cluster.keep()?;
    }
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes a database that is swept, with the statements that a user would type.
fn prepare(cluster: &Cluster) -> Result<Client> {
    let statement = |client: &mut Client, sql: &str| -> Result<()> {
        println!("  {sql};");
        client.batch_execute(sql).with_context(|| sql.to_string())
    };
    let mut server = cluster.connect("postgres")?;
    statement(&mut server, "CREATE DATABASE fleet")?;
    let mut client = cluster.connect(DATABASE)?;
    statement(&mut client, "CREATE EXTENSION multica")?;
    statement(&mut client, "SELECT * FROM multica_install()")?;
    statement(&mut server, "ALTER DATABASE fleet SET multica.sweep = on")?;
    statement(&mut server, "ALTER DATABASE fleet SET multica.stale_after = '3s'")?;
    cluster.connect(DATABASE)
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
