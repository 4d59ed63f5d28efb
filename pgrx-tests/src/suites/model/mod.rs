//! Compares random sequences of calls with a small model. After each step the returned rows and the tables must be
//! those of the model, and the invariants must hold. A sequence that fails is reduced to a short one.
//!
//! The model states the rules of docs/tasks.md, docs/sweeping.md and docs/internals/late-runs.md a second time, for
//! tables without a server. It has no sessions, comments, escalations, runs of autopilots or merges.

mod claim;
mod consequences;
mod database;
mod invariants;
mod play;
mod resumption;
mod statement;
mod step;
mod sweep;
mod task;
mod world;

use std::cell::{Cell, RefCell};

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::Suite;
use super::support;
use crate::context::Context;
use crate::database::Database;
use invariants::Rows;
use step::{Call, Step, steps};
use world::{Mistake, Model};

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    calls_match_model,
    wrong_model_is_detected_and_shrunk,
    each_wrong_rule_is_detected,
    broken_rows_are_detected
];

/// The number of sequences; MULTICA_CASES sets another number, MULTICA_SEED other sequences.
const CASES: u64 = 140;
/// The default seed is fixed, so that a new failure is the result of a change.
const SEED: u64 = 1;
/// How many shorter sequences are tried after a failure.
const MOST_SHRINKS: u32 = 1000;
/// With a wrong rule of the model, one of this many sequences must fail. Otherwise the sequences are too few or too
/// uniform.
const MOST_CASES: u32 = 2000;

/// In any order, calls do only what the model does.
fn calls_match_model(context: &Context) -> Result<()> {
    let (seed, cases) = (support::number("MULTICA_SEED", SEED)?, support::number("MULTICA_CASES", CASES)?);
    let (_database, player) = player(context)?;
    if let Some((shrunk, reason)) = player.find(&mut runner(seed, u32::try_from(cases)?, MOST_SHRINKS), None)? {
        bail!("MULTICA_SEED={seed} repeats it: {reason}\nafter {shrunk:#?}");
    }
    let played = player.played.get();
    ensure!(played as u64 > 20 * cases, "only {played} steps were played");
    println!("      {played} steps in {cases} sequences of seed {seed}");
    Ok(())
}

/// A short sequence detects a model with one wrong rule: an enqueue, the archiving of the agent, a claim.
fn wrong_model_is_detected_and_shrunk(context: &Context) -> Result<()> {
    let (_database, player) = player(context)?;
    let found = player.find(&mut runner(SEED, MOST_CASES, MOST_SHRINKS), Some(Mistake::ArchivedAgent))?;
    let (shrunk, reason) = found.context("no sequence found the wrong rule")?;
    ensure!(shrunk.len() <= 4, "not shrunk enough: {reason}\nafter {shrunk:#?}");
    Ok(())
}

/// The sequences reach the rules that need several steps before them.
fn each_wrong_rule_is_detected(context: &Context) -> Result<()> {
    let (_database, player) = player(context)?;
    for mistake in [Mistake::Lease, Mistake::Superseded, Mistake::FullAgent] {
        let found = player.find(&mut runner(SEED, MOST_CASES, 0), Some(mistake))?;
        ensure!(found.is_some(), "no sequence found {mistake:?}");
    }
    Ok(())
}

/// A row that breaks an invariant is detected.
fn broken_rows_are_detected(_context: &Context) -> Result<()> {
    invariants::broken_rows_are_detected()
}

fn runner(seed: u64, cases: u32, shrinks: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, rng)
}

/// The database in which sequences are played.
struct Player {
    client: RefCell<Client>,
    played: Cell<usize>,
}

fn player(context: &Context) -> Result<(Database<'_>, Player)> {
    let (database, mut client) = support::team(context)?;
    database.fixture("model")?;
    database::prepare(context, &mut client)?;
    Ok((database, Player { client: RefCell::new(client), played: Cell::new(0) }))
}

impl Player {
    /// Draws sequences until one fails; returns it after shrinking, and the reason.
    fn find(&self, runner: &mut TestRunner, mistake: Option<Mistake>) -> Result<Option<(Vec<Step>, String)>> {
        let result = runner.run(&steps(), |steps| {
            let played = self.play(&steps, mistake);
            played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
        });
        match result {
            Ok(()) => Ok(None),
            Err(TestError::Fail(reason, steps)) => Ok(Some((steps, reason.to_string()))),
            Err(TestError::Abort(reason)) => bail!("no sequence could be drawn: {reason}"),
        }
    }

    /// Plays one sequence in a transaction that is rolled back.
    fn play(&self, steps: &[Step], mistake: Option<Mistake>) -> Result<()> {
        let mut client = self.client.borrow_mut();
        let mut transaction = client.transaction()?;
        transaction.execute("UPDATE agent_runtime SET last_seen_at = clock_timestamp()", &[])?;
        let mut model = Model::new(mistake);
        let mut before = Rows::default();
        for (number, step) in steps.iter().enumerate() {
            let Some(sql) = statement::statement(&model, *step)? else {
                continue;
            };
            let Some(expected) = model.play(*step) else {
                continue;
            };
            let place = || format!("step {number}, {step:?}");
            let outcome = database::execute(&mut transaction, &sql, expected.is_err()).with_context(place)?;
            let pins = matches!(step, Step::Task(_, Call::Pin(_)));
            outcome.rows.check(&before, pins).with_context(place)?;
            database::compare(&outcome, &mut model).with_context(place)?;
            let answer = outcome.answer.map(|words| database::numbered(&model, words));
            let same = match (&answer, &expected) {
                (Ok(Ok(found)), Ok(wanted)) => found == wanted,
                (Err(found), Err(wanted)) => found == wanted,
                _ => false,
            };
            ensure!(same, "{} returns {answer:?}, not {expected:?}", place());
            before = outcome.rows;
            self.played.set(self.played.get() + 1);
        }
        Ok(transaction.rollback()?)
    }
}
