//! Valid calls in sessions and transactions with unusual settings.

use anyhow::{Context as _, Result, bail, ensure};
use postgres::{Client, SimpleQueryMessage};

use super::routine::{Outcome, Routine, answer, routines, undone, world};
use crate::context::Context;
use crate::suites::support::{self, text};

/// Isolation levels at which events cannot be read, and read-only transactions.
const TRANSACTION_MODES: [&str; 4] = [
    "ISOLATION LEVEL REPEATABLE READ",
    "ISOLATION LEVEL SERIALIZABLE",
    "READ ONLY",
    "ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
];
/// Prevents runtimes from going stale during a slow test.
const KEEP_ONLINE: &str = "UPDATE public.agent_runtime SET last_seen_at = clock_timestamp() WHERE status = 'online'";
/// How many times each call is cancelled, at a random point.
const CANCELLED: usize = 3;

/// Settings of a session change how values are read and written and how statements are planned, but not the result of a
/// call.
pub fn no_setting_changes_result_of_call(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    let functions = functions(context, &mut client)?;
    let state = text(context, "model_state")?;
    let settings: Vec<(String, i64)> = client
        .query(&text(context, "robustness/settings")?, &[])?
        .iter()
        .map(|row| {
            let (name, value): (&str, &str) = (row.get(0), row.get(1));
            (format!("SET LOCAL {name} = '{value}'"), row.get(2))
        })
        .collect();
    ensure!(settings.len() > 80, "{} settings", settings.len());
    let rounds = settings.iter().map(|(_, round)| *round).max();
    for routine in &functions {
        let expected = outcome_and_state(&mut client, routine, "SELECT", &state)?;
        for round in 1..=rounds.unwrap_or_default() {
            let all: Vec<&str> = settings.iter().filter(|(_, of)| *of == round).map(|(set, _)| set.as_str()).collect();
            if outcome_and_state(&mut client, routine, &all.join("; "), &state)? == expected {
                continue;
            }
            for set in &all {
                let found = outcome_and_state(&mut client, routine, set, &state)?;
                ensure!(found == expected, "{set}: {}\nreturns {found:#?}, not {expected:#?}", routine.name);
            }
            bail!("{}\nreturns something else after {all:#?}", routine.name);
        }
    }
    Ok(())
}

/// Read-only transactions refuse writes with 25006, and reading events is refused above READ COMMITTED. All other
/// results are the same.
pub fn no_transaction_mode_changes_result_of_call(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    for routine in functions(context, &mut client)? {
        let call = routine.sensible();
        let expected = undone(&mut client, |open| routine.outcome(open, &call))?;
        for kind in TRANSACTION_MODES {
            let found = undone(&mut client, |open| {
                open.batch_execute(&format!("SET TRANSACTION {kind}"))?;
                routine.outcome(open, &call)
            })?;
            let is_refused = |code: &str| matches!(&found, Outcome::Raised(raised, _) if raised == code);
            let of_events = kind.contains("ISOLATION") && routine.name.ends_with("_events");
            ensure!(
                found == expected
                    || (kind.contains("READ ONLY") && is_refused("25006"))
                    || (of_events && is_refused("55000")),
                "{kind}: {call}\nreturns {found:?}, not {expected:?}"
            );
        }
    }
    Ok(())
}

/// A call that is rolled back in any way changes no row, and the next call returns the same as the first.
pub fn rolled_back_call_leaves_nothing(context: &Context) -> Result<()> {
    let (database, mut client) = world(context)?;
    client.batch_execute(&text(context, "robustness/taken_back")?)?;
    let before = support::digest(context, &database)?;
    for routine in functions(context, &mut client)? {
        let call = routine.sensible();
        let expected = undone(&mut client, |open| routine.outcome(open, &call))?;
        let found = undone(&mut client, |open| {
            for _ in 0..2 {
                open.execute("SELECT hostile.take_back($1)", &[&call])?;
            }
            open.batch_execute(&format!(
                "SAVEPOINT s; DECLARE c CURSOR FOR {call}; FETCH 1 FROM c; ROLLBACK TO s; {call}; ROLLBACK TO s"
            ))?;
            routine.outcome(open, &call)
        })?;
        ensure!(found == expected, "{call}\nthen returns {found:?}");
        prepared_and_rolled_back(&mut client, &call, &database.name)?;
        for _ in 0..CANCELLED {
            cancelled(&mut client, &routine, &call, &expected)?;
        }
    }
    let after = support::digest(context, &database)?;
    ensure!(after == before, "a rolled back call changed a row");
    Ok(())
}

/// Every call can be prepared, except those that create temporary tables.
fn prepared_and_rolled_back(client: &mut Client, call: &str, name: &str) -> Result<()> {
    let script = format!("BEGIN; {call}; PREPARE TRANSACTION '{name}'");
    match answer(client, &script)?.0 {
        Outcome::Rows(..) => client.batch_execute(&format!("ROLLBACK PREPARED '{name}'"))?,
        Outcome::Raised(code, message) => {
            ensure!(code == "0A000", "{call}\nprepared: {code}: {message}");
            ensure!(message.contains("temporary objects"), "{call}: {message}");
        }
    }
    Ok(())
}

/// A cancelled call raises 57014, and can be repeated in the same transaction. The timeout is set after the savepoint,
/// so that ROLLBACK TO resets it.
fn cancelled(client: &mut Client, routine: &Routine, call: &str, expected: &Outcome) -> Result<()> {
    undone(client, |open| {
        open.batch_execute("DISCARD PLANS; SAVEPOINT s; SET LOCAL statement_timeout = 1")?;
        let found = routine.outcome(open, call)?;
        let is_cancelled = matches!(&found, Outcome::Raised(code, _) if code == "57014");
        ensure!(is_cancelled || found == *expected, "{call}\n{found:?}");
        support::end_timeout(open, "ROLLBACK TO s")?;
        let repeated = routine.outcome(open, call)?;
        ensure!(repeated == *expected, "{call}\nthen returns {repeated:?}");
        Ok(())
    })
}

/// The functions that read no table.
const WITHOUT_TABLES: [&str; 4] =
    ["multica_version", "multica_can_commit", "multica_clean", "multica_classify_failure"];

/// The schema in which functions search their tables no longer exists: each function raises an error, and the error of
/// multica_install, to which the hints of the others refer, names the new schema.
pub fn renamed_schema_causes_no_internal_error(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    let routines = routines(context, &mut client)?;
    client.batch_execute("ALTER SCHEMA public RENAME TO elsewhere")?;
    for routine in routines.iter().filter(|routine| !WITHOUT_TABLES.contains(&routine.name.as_str())) {
        let call = routine.sensible().replace("public.", "elsewhere.");
        let outcome = routine.outcome(&mut client, &call)?;
        let Outcome::Raised(code, message) = &outcome else {
            ensure!(["multica_grant", "multica_revoke"].contains(&routine.name.as_str()), "{call}\n{outcome:?}");
            continue;
        };
        ensure!(["55000", "3F000"].contains(&code.as_str()), "{call}\n{code}: {message}");
        if routine.name == "multica_install" {
            ensure!(message.contains("elsewhere"), "{message}");
        }
    }
    let temporary: i64 = client.query_one("SELECT count(*) FROM pg_class WHERE relpersistence = 't'", &[])?.get(0);
    ensure!(temporary == 0, "{temporary} temporary tables");
    client.batch_execute("ALTER SCHEMA elsewhere RENAME TO public; SELECT FROM multica_status()")?;
    Ok(())
}

fn functions(context: &Context, client: &mut Client) -> Result<Vec<Routine>> {
    let mut routines = routines(context, client)?;
    routines.retain(|routine| !routine.is_procedure);
    Ok(routines)
}

/// Returns the outcome of a call after `before`, and the state of the tables after the call. Both are rolled back.
fn outcome_and_state(
    client: &mut Client,
    routine: &Routine,
    before: &str,
    state: &str,
) -> Result<(Outcome, Vec<String>)> {
    let script = format!(
        "BEGIN; {KEEP_ONLINE}; {before}; {}; SET LOCAL search_path = public; {state}; ROLLBACK",
        routine.sensible()
    );
    let (outcome, messages) = answer(client, &script).with_context(|| format!("{}, after {before}", routine.name))?;
    if let Outcome::Raised(..) = outcome {
        client.batch_execute("ROLLBACK")?;
    }
    let lines = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.len() == 5 => row.get(3).map(str::to_string),
        _ => None,
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    Ok((outcome, lines))
}
