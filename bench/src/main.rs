//! `cargo bench-multica`: measures how fast the extension is, as ratios of figures from one run.

mod bench;
#[cfg(feature = "charts")]
mod charts;
mod cycle;
mod detection;
mod events;
mod files;
mod fire;
mod heartbeat;
mod history;
mod idle;
mod idle_claim;
mod incarnation;
mod jit;
mod machine;
mod peers;
mod processor;
mod profile;
mod progress;
mod proxy;
mod queue;
mod verdict;
mod waiting;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use multica_harness::cluster::{Options, remove_leftovers};
use multica_harness::context::Context;
use multica_harness::extension::{self, Variant};
use multica_harness::project::{MAJOR, Project};
use multica_harness::speed::{Results, Server, goals, page};
use multica_harness::{demo, enter, tools};

use bench::Bench;

#[derive(Parser)]
#[command(name = "multica-bench", about = "Measures, and prints ratios")]
struct Arguments {
    /// What to measure; everything if left out
    #[command(subcommand)]
    command: Option<Command>,
    /// Write the results to docs/ and update docs/speed.md, instead of writing to target/
    #[arg(long, global = true)]
    publish: bool,
    /// Measure with settings that keep disk writes out of the figures, instead of those of a freshly initialized server
    #[arg(long, global = true)]
    tuned: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Cell(Cell),
    /// A daemon of the demo, started by a cell
    #[command(hide = true)]
    Daemon(demo::Identity),
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Cell {
    /// Every cell, then the charts
    All {
        /// Smaller sizes, shorter measurements, fewer repetitions
        #[arg(long)]
        quick: bool,
    },
    /// A sweep of orphaned tasks, against hand-written set-based SQL and against one statement after another
    Verdict(verdict::Load),
    /// The same in the tables of the newest server, against hand-written set-based SQL
    VerdictServer(verdict::Load),
    /// A sweep that finds nothing to do, with many runtimes and many finished tasks
    Idle(idle::Load),
    /// The same in the tables of the newest server
    IdleServer(idle::Load),
    /// Heartbeats, one by one and in batches, against the prepared UPDATE
    Heartbeat(heartbeat::Load),
    /// Heartbeats with the incarnation of their process, against those without
    Incarnation(incarnation::Load),
    /// Enqueue, claim, start, complete, against a bare table and other queues on Postgres
    Cycle(cycle::Load),
    /// A claim that finds no task, against its own lookup
    IdleClaim(idle_claim::Load),
    /// Claims beside many tasks that wait for other runtimes, and what limits cost that are not set
    Waiting(waiting::Load),
    /// Calls with the default settings of Postgres, against the same with jit = off
    Jit(jit::Load),
    /// How much time each statement of a verdict and of a claim cycle takes
    Profile(profile::Load),
    /// Claims and heartbeats while the worker sweeps a backlog
    Fire(fire::Load),
    /// The time from the death of a daemon to the retry
    Detection(detection::Load),
    /// What events cost, and how fast they are read
    Events(events::Load),
    /// Draw the charts and fill the page from the results of the last runs
    Page,
}

impl Cell {
    /// Returns all cells that measure something, with the default or the quick arguments.
    fn all(quick: bool) -> Vec<Cell> {
        vec![
            Cell::Cycle(load(quick, cycle::QUICK)),
            Cell::Verdict(load(quick, verdict::QUICK)),
            Cell::VerdictServer(load(quick, verdict::QUICK)),
            Cell::Fire(load(quick, fire::QUICK)),
            Cell::Detection(load(quick, detection::QUICK)),
            Cell::Heartbeat(load(quick, heartbeat::QUICK)),
            Cell::Incarnation(load(quick, incarnation::QUICK)),
            Cell::IdleClaim(load(quick, idle_claim::QUICK)),
            Cell::Waiting(load(quick, waiting::QUICK)),
            Cell::Jit(load(quick, jit::QUICK)),
            Cell::Profile(load(quick, profile::QUICK)),
            Cell::Idle(load(quick, idle::QUICK)),
            Cell::IdleServer(load(quick, idle::QUICK)),
            Cell::Events(load(quick, events::QUICK)),
        ]
    }

    fn measure(self, bench: &Bench) -> Result<Results> {
        match self {
            Cell::Verdict(load) => verdict::measure(bench, &load),
            Cell::VerdictServer(load) => verdict::measure_server(bench, &load),
            Cell::Idle(load) => idle::measure(bench, &load),
            Cell::IdleServer(load) => idle::measure_server(bench, &load),
            Cell::Heartbeat(load) => heartbeat::measure(bench, &load),
            Cell::Incarnation(load) => incarnation::measure(bench, &load),
            Cell::Cycle(load) => cycle::measure(bench, &load),
            Cell::IdleClaim(load) => idle_claim::measure(bench, &load),
            Cell::Waiting(load) => waiting::measure(bench, &load),
            Cell::Jit(load) => jit::measure(bench, &load),
            Cell::Profile(load) => profile::measure(bench, &load),
            Cell::Fire(load) => fire::measure(bench, &load),
            Cell::Detection(load) => detection::measure(bench, &load),
            Cell::Events(load) => events::measure(bench, &load),
            Cell::All { .. } | Cell::Page => unreachable!("no cell measures them"),
        }
    }
}

/// Parses the default arguments of a cell, or the arguments of a quick run.
fn load<L: Parser>(quick: bool, arguments: &[&str]) -> L {
    let given = if quick { arguments } else { &[] };
    L::parse_from([&["bench"], given].concat())
}

fn main() -> ExitCode {
    run(Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("\n{error:#}");
        ExitCode::FAILURE
    })
}

/// Measures the requested cells, then draws the charts and fills the page.
fn run(arguments: Arguments) -> Result<ExitCode> {
    let cells = match arguments.command {
        Some(Command::Daemon(identity)) => return demo::run_daemon(&identity).map(|never| match never {}),
        Some(Command::Cell(Cell::Page)) => Vec::new(),
        Some(Command::Cell(Cell::All { quick })) => Cell::all(quick),
        Some(Command::Cell(cell)) => vec![cell],
        None => Cell::all(false),
    };
    let project = &enter()?;
    let folder = if arguments.publish { page::published(project) } else { project.work.join("speed") };
    let failed = if cells.is_empty() {
        false
    } else {
        let server = if arguments.tuned { Server::Tuned } else { Server::Stock };
        measure(project, server, cells, &folder)?
    };
    #[cfg(feature = "charts")]
    charts::draw(&folder)?;
    page::fill(project, &folder)?;
    println!("\n{}", goals::table(&folder)?);
    println!("Kept in {}", folder.display());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Measures one cell after the other. Returns whether one has failed, which does not affect the results of the others.
fn measure(project: &Project, server: Server, cells: Vec<Cell>, folder: &Path) -> Result<bool> {
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, MAJOR)?;
        extension::install(project, &tools, Variant::Release)?
    };
    let context = Context::new(project.clone(), copy);
    let cluster = context.cluster(&options(server))?;
    let machine = machine::of(&cluster)?;
    machine::print(&machine);
    let bench = Bench {
        context: &context,
        cluster: &cluster,
        machine: &machine,
        server,
        histories: history::Histories::new(&context, &cluster),
    };
    let mut failed = false;
    for cell in cells {
        let began = Instant::now();
        match cell.measure(&bench) {
            Ok(results) => {
                results.finish(folder)?;
                println!("  measured in {:.0} s", began.elapsed().as_secs_f64());
            }
            Err(error) => {
                failed = true;
                eprintln!("\n{error:#}");
            }
        }
    }
    Ok(failed)
}

/// Returns the options of the one server that all sides use.
fn options(server: Server) -> Options {
    // Writes to the disk are measured, unless the caller chose the tuned settings.
    let stock = Options::new("bench").set("fsync", "on");
    match server {
        Server::Stock => stock,
        Server::Tuned => TUNED.iter().fold(stock, |options, (name, value, _)| options.set(name, value)),
    }
}

/// The settings of the second column, and the reason for each. With them, only the work of the statements is measured.
const TUNED: [(&str, &str, &str); 5] = [
    ("fsync", "off", "a flush takes longer than a statement"),
    ("shared_buffers", "2GB", "every table fits"),
    ("max_wal_size", "16GB", "no checkpoint begins in a repetition"),
    ("checkpoint_timeout", "30min", "no checkpoint begins in a repetition"),
    ("maintenance_work_mem", "512MB", "histories are built faster"),
];
