//! Sequences of calls, drawn at random, against a small model of what they ought to do: after each step the answer and
//! the tables are compared. A sequence that fails is shrunk to a short one.

mod consequences;
mod play;
mod session;
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

/// Sequences of the test as it stands; MULTICA_CASES asks for more of them, MULTICA_SEED for others.
const CASES: u64 = 250;
/// The seed of the test as it stands: what fails where it passed before has been changed.
const SEED: u64 = 1;
/// Sequences that do not suffice to find a mistake are too few, or too dull.
const MOST_CASES: u32 = 2000;

/// Nothing that the model does not say, in any order of calls.
fn calls_match_model(context: &Context) -> Result<()> {
    let (seed, cases) = (support::number("MULTICA_SEED", SEED)?, support::number("MULTICA_CASES", CASES)?);
    let (_database, table) = table(context)?;
    if let Some((shrunk, reason)) = table.find(&mut runner(seed, u32::try_from(cases)?), false)? {
        bail!("MULTICA_SEED={seed} repeats it: {reason}\nafter {shrunk:#?}");
    }
    let played = table.played.get();
    ensure!(played as u64 > 10 * cases, "only {played} steps were played");
    println!("      {played} steps in {cases} sequences of seed {seed}");
    Ok(())
}

/// A model that is wrong in one respect is caught, and what catches it is short: an agent's task, its archiving, a
/// claim.
fn wrong_model_is_detected_and_shrunk(context: &Context) -> Result<()> {
    let (_database, table) = table(context)?;
    let found = table.find(&mut runner(1, MOST_CASES), true)?;
    let (shrunk, reason) = found.context("nobody noticed the mistake")?;
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

/// Where sequences are played.
struct Table {
    client: RefCell<Client>,
    state: String,
    played: Cell<usize>,
}

fn table(context: &Context) -> Result<(Database<'_>, Table)> {
    let (database, client) = support::team(context)?;
    database.fixture("model")?;
    let table = Table { client: RefCell::new(client), state: text(context, "model_state")?, played: Cell::new(0) };
    Ok((database, table))
}

impl Table {
    /// Draws sequences until one fails; the shortest like it, and why.
    fn find(&self, runner: &mut TestRunner, mistaken: bool) -> Result<Option<(Vec<Step>, String)>> {
        let outcome = runner.run(&steps(), |steps| {
            let played = self.play(&steps, mistaken);
            played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
        });
        match outcome {
            Ok(()) => Ok(None),
            Err(TestError::Fail(reason, steps)) => Ok(Some((steps, reason.to_string()))),
            Err(TestError::Abort(reason)) => bail!("no sequence could be drawn: {reason}"),
        }
    }

    /// One sequence, in a transaction that is rolled back.
    fn play(&self, steps: &[Step], mistaken: bool) -> Result<()> {
        let mut client = self.client.borrow_mut();
        let mut transaction = client.transaction()?;
        transaction.execute("UPDATE agent_runtime SET last_seen_at = clock_timestamp()", &[])?;
        let mut model = Model::new(mistaken);
        for (number, step) in steps.iter().enumerate() {
            let Some(sql) = session::statement(&model, *step)? else {
                continue;
            };
            let Some(expected) = model.play(*step) else {
                continue;
            };
            let told = session::tell(&mut transaction, &sql, &self.state)?;
            let place = || format!("step {number}, {step:?}");
            session::compare(&told, &mut model).with_context(place)?;
            let answer = told.answer.map(|words| session::numbered(&model, words));
            let same = match (&answer, &expected) {
                (Ok(Ok(found)), Ok(wanted)) => found == wanted,
                (Err(found), Err(wanted)) => found == wanted,
                _ => false,
            };
            ensure!(same, "{} answers {answer:?}, not {expected:?}", place());
            self.played.set(self.played.get() + 1);
        }
        Ok(transaction.rollback()?)
    }
}
