//! `cargo bench-multica`: how fast, as ratios from one run.

mod cycle;
mod heartbeat;
mod machine;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::cluster::{Cluster, Options, remove_leftovers};
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::project::Project;
use crate::{tools, verify};

/// What the command line asks of a bench.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is measured; everything when left out
    #[command(subcommand)]
    cell: Option<Cell>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Cell {
    /// A sweep of orphaned tasks against hand-written set-based SQL and against one statement after another
    Verdict(verdict::Size),
    /// Heartbeats against the prepared UPDATE
    Heartbeat(heartbeat::Load),
    /// Claim, start, complete, with nothing and much behind the queue
    Cycle(cycle::Load),
}

/// Builds the optimized library and measures.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, verify::MAJOR)?;
        extension::install(project, &tools, Variant::Release)?
    };
    let context = Context::new(project.clone(), copy);
    let options = Options::new("bench")
        .set("shared_buffers", "512MB")
        .set("max_wal_size", "4GB");
    let cluster = context.cluster(&options)?;
    machine::describe(&cluster)?;
    let cells = match &arguments.cell {
        Some(cell) => vec![cell.clone()],
        None => vec![
            Cell::Verdict(verdict::Size::default()),
            Cell::Heartbeat(heartbeat::Load::default()),
            Cell::Cycle(cycle::Load::default()),
        ],
    };
    for cell in cells {
        match cell {
            Cell::Verdict(size) => verdict::measure(&context, &cluster, &size)?,
            Cell::Heartbeat(load) => heartbeat::measure(&context, &cluster, &load)?,
            Cell::Cycle(load) => cycle::measure(&context, &cluster, &load)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of a file of the bench folder.
fn text(project: &Project, name: &str) -> Result<String> {
    read(&project.harness().join("bench").join(name))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Everything is on its way to the disk before a clock starts.
fn settle(cluster: &Cluster) -> Result<()> {
    Ok(cluster.connect("postgres")?.batch_execute("CHECKPOINT")?)
}

/// Median, least and most of some figures.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        Spread {
            median: figures[figures.len() / 2],
            least: figures[0],
            most: figures[figures.len() - 1],
        }
    }
}
