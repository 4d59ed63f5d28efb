//! Heartbeats through the function against the statement it carries out.

use anyhow::{Context as _, Result};

use super::{Spread, settle, text};
use crate::cluster::Cluster;
use crate::context::Context;

/// How hard the daemons beat.
#[derive(Debug, Clone, clap::Args)]
pub struct Load {
    /// Connections
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Seconds of each repetition
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Repetitions of each way
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            connections: 8,
            seconds: 5,
            repetitions: 5,
        }
    }
}

const WAYS: [&str; 2] = ["function", "statement"];

/// Runs both in turn with pgbench and prints the ratio.
pub fn measure(context: &Context, cluster: &Cluster, load: &Load) -> Result<()> {
    let database = context.fresh_database_in(cluster)?;
    database
        .connect()?
        .batch_execute(&text(&context.project, "heartbeat/load.sql")?)?;
    let mut rates: [Vec<f64>; 2] = Default::default();
    for _ in 0..load.repetitions {
        for (place, way) in WAYS.iter().enumerate() {
            settle(cluster)?;
            rates[place].push(beats(context, cluster, &database.name, way, load)?);
        }
    }
    println!(
        "\nHeartbeat: 1000 runtimes, {} connections, {} repetitions of {} s; pgbench, prepared",
        load.connections, load.repetitions, load.seconds
    );
    let [function, statement] = rates.map(Spread::of);
    for (name, spread) in [
        ("multica_heartbeat()", &function),
        ("UPDATE … RETURNING *", &statement),
    ] {
        println!(
            "  {name:<28} {:8.0} /s  ({:.0} to {:.0})",
            spread.median, spread.least, spread.most
        );
    }
    println!(
        "  multica_heartbeat() does {:.2} of the statement's",
        function.median / statement.median
    );
    Ok(())
}

fn beats(
    context: &Context,
    cluster: &Cluster,
    database: &str,
    way: &str,
    load: &Load,
) -> Result<f64> {
    // The server's user may not be allowed to read the checkout.
    let script = cluster.socket_folder().join(format!("{way}.pgbench"));
    std::fs::write(
        &script,
        text(&context.project, &format!("heartbeat/{way}.pgbench"))?,
    )?;
    let output = cluster.run(
        "pgbench",
        &[
            "--no-vacuum",
            "--protocol=prepared",
            &format!("--client={}", load.connections),
            "--jobs=2",
            &format!("--time={}", load.seconds),
            &format!("--file={}", script.display()),
            database,
        ],
    )?;
    output
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .context("pgbench printed no rate")
}
