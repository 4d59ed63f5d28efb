//! Compares random sequences of calls with a small model. After each step the returned rows and the tables must be
//! those of the model. A sequence that fails is reduced to a short one.

mod consequences;
mod database;
mod play;
mod step;
mod task;
mod world;

use std::cell::{Cell, RefCell};

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::Suite;
use super::support::{self, text};
use crate::context::Context;
use crate::database::Database;
use step::{Step, steps};
use world::Model;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![calls_match_model, wrong_model_is_detected_and_shrunk,];

/// The number of sequences; MULTICA_CASES sets another number, MULTICA_SEED other sequences.
const CASES: u64 = 250;
/// The default seed is fixed, so that a new failure is the result of a change.
const SEED: u64 = 1;
/// With the wrong rule of the model, one of this many sequences must fail. Otherwise the sequences are too few or too
/// uniform.
const MOST_CASES: u32 = 2000;

/// In any order, calls do only what the model does.
fn calls_match_model(context: &Context) -> Result<()> {
    let (seed, cases) = (support::number("MULTICA_SEED", SEED)?, support::number("MULTICA_CASES", CASES)?);
    let (_database, player) = player(context)?;
    if let Some((shrunk, reason)) = player.find(&mut runner(seed, u32::try_from(cases)?), false)? {
        bail!("MULTICA_SEED={seed} repeats it: {reason}\nafter {shrunk:#?}");
    }
    let played = player.played.get();
    ensure!(played as u64 > 10 * cases, "only {played} steps were played");
    println!("      {played} steps in {cases} sequences of seed {seed}");
    Ok(())
}

/// A short sequence detects a model with one wrong rule: an enqueue, the archiving of the agent, a claim.
fn wrong_model_is_detected_and_shrunk(context: &Context) -> Result<()> {
    let (_database, player) = player(context)?;
    let found = player.find(&mut runner(1, MOST_CASES), true)?;
    let (shrunk, reason) = found.context("no sequence found the wrong rule")?;
    ensure!(shrunk.len() <= 4, "not shrunk enough: {reason}\nafter {shrunk:#?}");
    Ok(())
}

fn runner(seed: u64, cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 3000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, rng)
}

/// The database in which sequences are played.
struct Player {
    client: RefCell<Client>,
    state: String,
    played: Cell<usize>,
}

fn player(context: &Context) -> Result<(Database<'_>, Player)> {
    let (database, client) = support::team(context)?;
    database.fixture("model")?;
    let player = Player { client: RefCell::new(client), state: text(context, "model_state")?, played: Cell::new(0) };
    Ok((database, player))
}

impl Player {
    /// Draws sequences until one fails; returns it after shrinking, and the reason.
    fn find(&self, runner: &mut TestRunner, mistaken: bool) -> Result<Option<(Vec<Step>, String)>> {
        let result = runner.run(&steps(), |steps| {
            let played = self.play(&steps, mistaken);
            played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
        });
        match result {
            Ok(()) => Ok(None),
            Err(TestError::Fail(reason, steps)) => Ok(Some((steps, reason.to_string()))),
            Err(TestError::Abort(reason)) => bail!("no sequence could be drawn: {reason}"),
        }
    }

    /// Plays one sequence in a transaction that is rolled back.
    fn play(&self, steps: &[Step], mistaken: bool) -> Result<()> {
        let mut client = self.client.borrow_mut();
        let mut transaction = client.transaction()?;
        transaction.execute("UPDATE agent_runtime SET last_seen_at = clock_timestamp()", &[])?;
        let mut model = Model::new(mistaken);
        for (number, step) in steps.iter().enumerate() {
            let Some(sql) = database::statement(&model, *step)? else {
                continue;
            };
            let Some(expected) = model.play(*step) else {
                continue;
            };
            let outcome = database::execute(&mut transaction, &sql, &self.state)?;
            let place = || format!("step {number}, {step:?}");
            database::compare(&outcome, &mut model).with_context(place)?;
            let answer = outcome.answer.map(|words| database::numbered(&model, words));
            let same = match (&answer, &expected) {
                (Ok(Ok(found)), Ok(wanted)) => found == wanted,
                (Err(found), Err(wanted)) => found == wanted,
                _ => false,
            };
            ensure!(same, "{} returns {answer:?}, not {expected:?}", place());
            self.played.set(self.played.get() + 1);
        }
        Ok(transaction.rollback()?)
    }
}
