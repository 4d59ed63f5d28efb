//! `cargo demo`: machines work on issues. They sleep, crash and break, lose their network and their tasks, and hang; the
//! extension fails and retries what they leave behind.

mod calls;
mod checks;
mod daemon;
mod event_text;
mod identity;
mod machine;
mod orders;
mod pace;
mod scenario;
mod session_folder;
mod story;
mod timeline;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use postgres::Client;

use crate::cluster::{Cluster, Options, remove_kept, remove_leftovers};
use crate::extension::{self, Variant};
use crate::project::{MAJOR, Project};
use crate::tools;
pub use daemon::run as run_daemon;
pub use identity::Identity;
pub use machine::Machine;
use pace::{DEFAULT, Pace, QUICK, QUICK_SWEEP_INTERVAL};
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
    /// Tell the same story in seconds, with short thresholds in place of the defaults
    #[arg(long)]
    quick: bool,
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
    let started = Instant::now();
    let pace = if arguments.quick { &QUICK } else { &DEFAULT };
    let mut options = Options::with_defaults("demo");
    if pace.is_quick {
        options = options.set("multica.sweep_interval", QUICK_SWEEP_INTERVAL);
    }
    let mut cluster = Cluster::create(project, &copy, &options)?;
    let mut client = prepare(&cluster, pace)?;
    let mut timeline = Timeline::new(cluster.connect(DATABASE)?);
    let outcome = scenario::run(project, &cluster, pace, &mut client, &mut timeline)
        .and_then(|mut players| checks::run(project, &mut client, &timeline.events, &mut players));
    if let Err(error) = &outcome {
        timeline.finish();
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

/// Makes a database that is swept, with the statements that a user would type, and prints the thresholds in force.
fn prepare(cluster: &Cluster, pace: &Pace) -> Result<Client> {
    let statement = |client: &mut Client, sql: &str, why: &str| -> Result<()> {
        let sql = format!("{sql};");
        println!("  {}", if why.is_empty() { sql.clone() } else { format!("{sql:<58}  -- {why}") });
        client.batch_execute(&sql).with_context(|| sql)
    };
    let mut server = cluster.connect("postgres")?;
    println!("What the extension does when machines sleep, crash, break, hang or lose their work.\n");
    println!(
        "A private Postgres {MAJOR} server is running, with its default settings but for those that are necessary:"
    );
    println!("  shared_preload_libraries = 'multica', which the background worker needs, and a socket of its own.");
    if pace.is_quick {
        println!("  Only in a quick demo: multica.sweep_interval = {QUICK_SWEEP_INTERVAL}, where 30s is the default.");
    }
    println!("\nA database of its own, with the statements that you would type:");
    statement(&mut server, "CREATE DATABASE fleet", "")?;
    let mut client = cluster.connect(DATABASE)?;
    statement(&mut client, "CREATE EXTENSION multica", "")?;
    statement(&mut client, "SELECT * FROM multica_install()", "")?;
    let off = "off by default";
    for (name, value, why) in [&[("multica.sweep", "on", off)], pace.settings].concat() {
        statement(&mut server, &format!("ALTER DATABASE fleet SET {name} = '{value}'"), why)?;
    }
    let mut client = cluster.connect(DATABASE)?;
    pace.print_thresholds(&mut client)?;
    Ok(client)
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
