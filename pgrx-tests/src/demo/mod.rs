//! `cargo demo`: a fleet works off its issues while its machines die, fall asleep and change their names at random, and
//! the database sets right what they leave behind.

mod checks;
mod daemon;
mod desk;
mod machine;
mod story;
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
pub use daemon::{Identity, live};
pub use machine::Machine;
use timeline::Timeline;

/// What the command line asks of a demo.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Leave the cluster running and say how to look at it
    #[arg(long)]
    keep: bool,
    /// Only end the clusters that earlier runs of this checkout have kept
    #[arg(long)]
    stop: bool,
    /// Repeat the dice of an earlier run; which process is how far when they fall is chance
    #[arg(long)]
    seed: Option<u64>,
    /// Install nothing: end with a list of what is missing
    #[arg(long)]
    no_install: bool,
}

const DATABASE: &str = "fleet";

/// Tells the story and checks it.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    if arguments.stop {
        println!("{} kept cluster(s) ended", remove_kept(project)?);
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
    let options = Options::new("demo").set("multica.sweep_interval", "1s").set("multica.redeliver_after", "3s");
    let mut cluster = Cluster::create(project, &copy, &options)?;
    println!("A private cluster is up, with the library preloaded and a sweep every second.");
    let mut client = prepare(&cluster)?;
    let mut timeline = Timeline::new(cluster.connect(DATABASE)?);
    println!("\nWhat happens is seed {seed}; --seed {seed} throws the same dice again.");
    let told = story::tell(project, &cluster, &mut client, &mut timeline, &mut Rng::with_seed(seed))
        .and_then(|mut fleet| checks::run(project, &mut client, &timeline.told, &mut fleet));
    if let Err(error) = &told {
        println!("\nThe story is not true: {error:#}");
        println!("\nThe end of the server's log:\n{}", tail(&cluster.log()?));
    }
    println!("\nTold in {:.1} s.", started.elapsed().as_secs_f64());
    if arguments.keep {
        let psql = copy.program("psql");
        println!(
            "\nThe cluster stays and is swept; its machines end with this process. Look around:\n  {} -h {} -U postgres {DATABASE}",
            psql.display(),
            cluster.socket_folder().display()
        );
        println!("End it:\n  cargo demo --stop");
        cluster.keep()?;
    }
    Ok(if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// From an empty database to one that is swept, in the statements a user would type.
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
