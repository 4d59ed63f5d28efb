//! `cargo chaos`: the storm on a primary with a synchronous standby, while servers, sessions and clients are killed.

mod checks;
mod faults;
mod pair;
mod plan;
mod report;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;

use crate::cluster::remove_leftovers;
use crate::console::Step;
use crate::context::Context;
use crate::database::TEMPLATE;
use crate::extension::{self, Variant};
use crate::project::{MAJOR, Project};
use crate::storm::{Conditions, RunningStorm, Storm};
use crate::tools;
use pair::Pair;
use plan::{Fault, Round};
use report::Report;

/// The command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Number of times the primary is killed
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Repeats the random choices of an earlier chaos, but not the order in which processes run
    #[arg(long)]
    seed: Option<u64>,
    /// Begin no further round after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

impl Arguments {
    /// Arguments for this number of kills.
    pub fn new(kills: usize, seed: Option<u64>) -> Arguments {
        Arguments { kills, seed, seconds: None }
    }
}

/// After this many rounds the database is replaced by a new one, so that the checks stay fast.
const ROUNDS_PER_DATABASE: usize = 10;

const SETTINGS: [&str; 6] = [
    "stale_after = '1s'",
    "redeliver_after = '500ms'",
    "prepare_lease = '300ms'",
    "dispatch_timeout = '2s'",
    "running_timeout = '3s'",
    "sweep = on",
];

/// Builds the extension, runs the plan, and prints the report.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, MAJOR)?;
        extension::install(project, &tools, Variant::Dev)?
    };
    let context = Context::new(project.clone(), copy);
    println!("\n{}No error was found.", run_plan(&context, arguments)?);
    Ok(ExitCode::SUCCESS)
}

/// Runs the plan of a seed. Returns the report, or the first error that it finds.
pub fn run_plan(context: &Context, arguments: &Arguments) -> Result<String> {
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64,
    };
    let mut rng = Rng::with_seed(seed);
    let rounds = plan::rounds(&mut rng, arguments.kills);
    let step = Step::start(&format!("chaos of seed {seed}"));
    let mut pair = Pair::begin(context)?;
    let mut report = Report::new(seed);
    let mut run = Run {
        context,
        report: &mut report,
        pair: &mut pair,
        rng,
        step,
        total: rounds.len(),
        number: 0,
        limit: arguments.seconds.map(Duration::from_secs),
    };
    let outcome = rounds
        .chunks(ROUNDS_PER_DATABASE)
        .enumerate()
        .try_for_each(|(number, rounds)| run.in_a_database(number, rounds));
    run.step.done();
    let outcome = outcome.and_then(|()| ensure_faults_were_noticed(&report));
    if let Err(error) = outcome {
        let kept = keep_logs(context, seed, &pair)?;
        bail!("{}\nError, seed {seed}: {error:#}\n\nThe servers' logs are in {kept}", report.text());
    }
    Ok(report.text())
}

struct Run<'a, 'b> {
    context: &'a Context,
    report: &'b mut Report,
    pair: &'b mut Pair<'a>,
    rng: Rng,
    step: Step,
    total: usize,
    number: usize,
    limit: Option<Duration>,
}

impl Run<'_, '_> {
    fn is_out_of_time(&self) -> bool {
        self.limit.is_some_and(|limit| self.report.elapsed() > limit)
    }

    /// Runs some rounds in a new database, and drops it.
    fn in_a_database(&mut self, number: usize, rounds: &[Round]) -> Result<()> {
        if self.is_out_of_time() {
            return Ok(());
        }
        let database = format!("fleet_{number}");
        self.create(&database)?;
        let config = self.pair.primary.config(&database);
        let running = Storm::begin(config, &mut self.rng, Conditions::WithFaults)?;
        let outcome = rounds.iter().try_for_each(|round| self.round(round, &running, &database));
        self.report.add(&running.storm);
        // The error of a client is returned first, because it is the cause of an error of the round.
        let ended = running.end();
        ended.map(drop).and(outcome)?;
        checks::amcheck(self.pair, &database)?;
        checks::read_logs(&self.pair.logs()?)?;
        let drop = format!("DROP DATABASE {database} WITH (FORCE)");
        Ok(self.pair.primary.connect("postgres")?.batch_execute(&drop)?)
    }

    fn create(&self, database: &str) -> Result<()> {
        let mut client = self.pair.primary.connect("postgres")?;
        client.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE {TEMPLATE}"))?;
        for setting in SETTINGS {
            client.batch_execute(&format!("ALTER DATABASE {database} SET multica.{setting}"))?;
        }
        let fixture = std::fs::read_to_string(self.context.fixtures().join("storm.sql"))?;
        Ok(self.pair.primary.connect(database)?.batch_execute(&fixture)?)
    }

    fn round(&mut self, round: &Round, running: &RunningStorm, database: &str) -> Result<()> {
        if self.is_out_of_time() {
            return Ok(());
        }
        self.number += 1;
        for (pause, fault) in &round.faults {
            self.step.say(&format!("kill {} of {}: {}", self.number, self.total, fault.name()));
            running.run_for(*pause);
            ensure!(!running.has_failed(), "a client of the storm has failed");
            let storm = &running.storm;
            let done = faults::inject(*fault, self.pair, storm, database, &mut self.rng)
                .with_context(|| format!("round {}: {fault:?}", self.number))?;
            self.report.count(*fault, done);
        }
        checks::run(self.context, self.pair, &running.storm, database, round.wait_for_sweep)
            .with_context(|| format!("after round {}: {:?}", self.number, round.faults))?;
        self.report.checked();
        Ok(())
    }
}

/// Fails if no client has noticed a fault, because then the fault was not injected.
fn ensure_faults_were_noticed(report: &Report) -> Result<()> {
    let tally = report.tally();
    for (fault, noticed) in
        [(Fault::KillServer, &tally.lost), (Fault::HoldLocks, &tally.timed_out), (Fault::FillDisk, &tally.disk_full)]
    {
        ensure!(
            report.times(fault) == 0 || noticed.load(Ordering::Relaxed) > 0,
            "no client has noticed: {}",
            fault.name()
        );
    }
    Ok(())
}

fn keep_logs(context: &Context, seed: u64, pair: &Pair) -> Result<String> {
    let folder = context.project.work.join("output/chaos").join(seed.to_string());
    std::fs::create_dir_all(&folder)?;
    for (number, log) in pair.logs()?.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.log")), log)?;
    }
    Ok(folder.display().to_string())
}
