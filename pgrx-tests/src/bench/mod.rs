//! `cargo bench-multica`: how fast, as ratios from one run.

mod charts;
mod cycle;
mod detection;
mod events;
mod fire;
mod heartbeat;
mod history;
mod idle;
mod machine;
mod peers;
mod progress;
mod proxy;
mod queue;
mod results;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::cluster::{Cluster, Options, remove_leftovers};
use crate::context::Context;
use crate::extension::{self, Variant};
use crate::project::Project;
use crate::{tools, verify};
use machine::Machine;
use results::Results;

/// What the command line asks of a bench.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is measured; all of it when left out
    #[command(subcommand)]
    cell: Option<Cell>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Cell {
    /// Every cell, then the charts
    All {
        /// Smaller grids, shorter measurements, fewer repetitions
        #[arg(long)]
        quick: bool,
    },
    /// A sweep of orphaned tasks against hand-written set-based SQL and against one statement after another
    Verdict(verdict::Load),
    /// A sweep that finds nothing to do, with many runtimes and much history
    Idle(idle::Load),
    /// Heartbeats, one by one and in batches, against the prepared UPDATE
    Heartbeat(heartbeat::Load),
    /// Enqueue, claim, start, complete, against a bare table and other queues on Postgres
    Cycle(cycle::Load),
    /// Claims and heartbeats while the worker sweeps a backlog
    Fire(fire::Load),
    /// From the death of a daemon to the retry
    Detection(detection::Load),
    /// What events cost, and how fast they are read
    Events(events::Load),
    /// Draws the charts anew from what the last runs wrote
    Charts,
}

impl Cell {
    /// All that measure, with their usual load or a quick one.
    fn all(quick: bool) -> Vec<Cell> {
        vec![
            Cell::Verdict(load(quick, verdict::QUICK)),
            Cell::Idle(load(quick, idle::QUICK)),
            Cell::Heartbeat(load(quick, heartbeat::QUICK)),
            Cell::Cycle(load(quick, cycle::QUICK)),
            Cell::Fire(load(quick, fire::QUICK)),
            Cell::Detection(load(quick, detection::QUICK)),
            Cell::Events(load(quick, events::QUICK)),
        ]
    }
}

/// The load that the command line gives without arguments, or with those of a quick run.
fn load<L: Parser>(quick: bool, arguments: &[&str]) -> L {
    let given = if quick { arguments } else { &[] };
    L::parse_from([&["bench"], given].concat())
}

/// What every cell is given.
struct Bench<'a> {
    context: &'a Context,
    cluster: &'a Cluster,
    machine: &'a Machine,
    histories: history::Histories<'a>,
}

/// Builds the optimized library and measures.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    let cells = match arguments.cell.clone() {
        Some(Cell::Charts) => {
            charts::draw(project)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Cell::All { quick }) => Cell::all(quick),
        Some(cell) => vec![cell],
        None => Cell::all(false),
    };
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, verify::MAJOR)?;
        extension::install(project, &tools, Variant::Release)?
    };
    let context = Context::new(project.clone(), copy);
    let cluster = context.cluster(&options())?;
    let machine = Machine::of(&cluster)?;
    machine.print();
    let bench = Bench {
        context: &context,
        cluster: &cluster,
        machine: &machine,
        histories: history::Histories::new(&context, &cluster),
    };
    for cell in cells {
        let results = match cell {
            Cell::Verdict(load) => verdict::measure(&bench, &load)?,
            Cell::Idle(load) => idle::measure(&bench, &load)?,
            Cell::Heartbeat(load) => heartbeat::measure(&bench, &load)?,
            Cell::Cycle(load) => cycle::measure(&bench, &load)?,
            Cell::Fire(load) => fire::measure(&bench, &load)?,
            Cell::Detection(load) => detection::measure(&bench, &load)?,
            Cell::Events(load) => events::measure(&bench, &load)?,
            Cell::All { .. } | Cell::Charts => unreachable!("no cell measures them"),
        };
        results.finish(project)?;
    }
    charts::draw(project)?;
    Ok(ExitCode::SUCCESS)
}

/// One server for every side. Commits are not flushed: on the disk at hand a flush takes longer than everything else a
/// statement does, and every side would show the same: how often it commits.
fn options() -> Options {
    Options::new("bench")
        .set("shared_buffers", "2GB")
        .set("max_wal_size", "16GB")
        .set("checkpoint_timeout", "30min")
        .set("maintenance_work_mem", "512MB")
        .set("max_connections", "200")
        .set("multica.sweep_interval", "1s")
}

impl Bench<'_> {
    /// Results of a cell, to be filled.
    fn results(&self, cell: &str, about: &str, columns: &[&str]) -> Results {
        Results::new(cell, about, self.machine, columns)
    }

    /// The text of a file of the bench folder.
    fn text(&self, name: &str) -> Result<String> {
        read(&self.context.project.harness().join("bench").join(name))
    }

    /// Everything is on its way to the disk before a clock starts.
    fn settle(&self) -> Result<()> {
        Ok(self
            .cluster
            .connect("postgres")?
            .batch_execute("CHECKPOINT")?)
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
