//! Every argument of every routine, with unusual and invalid values of its type.

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use postgres::{Client, SimpleQueryMessage};
use serde_json::{Value, json};

use super::routine::{Argument, Outcome, Routine, answer, routines, sensible_calls_succeed, world};
use crate::context::Context;
use crate::suites::support::{self, text};

/// The invariants that hold in the tables at any time, after any call.
const INVARIANTS: [&str; 5] = [
    "i01_one_pending_per_issue_and_agent",
    "i06_attempts_count_up",
    "i07_first_attempt_is_one",
    "agent_status_matches_tasks_in_flight",
    "ended_tasks_have_completed_at",
];
/// The number of calls of each routine with random combinations of such values; MULTICA_CASES overrides it.
const COMBINATIONS: u64 = 10;

/// An unusual or invalid value for arguments of one type.
struct BadValue {
    kind: String,
    word: String,
    expression: String,
}

/// No call crashes the server, raises XX000, returns an unexpected NULL or violates an invariant.
pub fn no_argument_causes_internal_error(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    let routines = routines(context, &mut client)?;
    sensible_calls_succeed(&mut client, &routines)?;
    let bad_values = bad_values(context, &mut client)?;
    let checks = checks(context)?;
    let seed = support::number("MULTICA_SEED", 1)?;
    let combinations = support::number("MULTICA_CASES", COMBINATIONS)?;
    let mut rng = Rng::with_seed(seed);
    for routine in &routines {
        for argument in &routine.arguments {
            for value in values_for(argument, &bad_values)? {
                let choose = |of: &Argument| (of.name == argument.name).then(|| value.expression.clone());
                let call = routine.call(choose);
                let outcome = attempt(&mut client, routine, &call, &checks)
                    .with_context(|| format!("{}, {} is {}", routine.name, argument.name, value.word))?;
                names_the_argument(&call, argument, &outcome)?;
            }
        }
        // A routine with one argument has no combinations.
        let count = (routine.arguments.len() > 1).then_some(combinations);
        for _ in 0..count.unwrap_or_default() {
            let call = combination(routine, &bad_values, &mut rng);
            attempt(&mut client, routine, &call, &checks).with_context(|| format!("MULTICA_SEED={seed} repeats it"))?;
        }
    }
    Ok(())
}

fn bad_values(context: &Context, client: &mut Client) -> Result<Vec<BadValue>> {
    let rows = client.query(&text(context, "robustness/values")?, &[])?;
    Ok(rows.iter().map(|row| BadValue { kind: row.get(0), word: row.get(1), expression: row.get(2) }).collect())
}

/// Returns the values for an argument's type, and for a document also the valid document with each of its parts
/// replaced or removed.
fn values_for(argument: &Argument, bad_values: &[BadValue]) -> Result<Vec<BadValue>> {
    let mut values: Vec<BadValue> = bad_values
        .iter()
        .filter(|value| value.kind == argument.kind)
        .map(|value| BadValue {
            kind: value.kind.clone(),
            word: value.word.clone(),
            expression: value.expression.clone(),
        })
        .collect();
    ensure!(!values.is_empty(), "add values of type {} to fixtures/robustness/values.sql", argument.kind);
    if argument.kind == "jsonb" {
        let document = argument.valid.trim_matches('\'').replace("''", "'");
        for (path, document) in mutations(&serde_json::from_str(&document)?) {
            values.push(BadValue {
                kind: argument.kind.clone(),
                word: format!("wrong in {path}"),
                expression: format!("'{}'", document.to_string().replace('\'', "''")),
            });
        }
    }
    Ok(values)
}

/// Returns the document with each of its parts removed or replaced, and the path of that part.
fn mutations(document: &Value) -> Vec<(String, Value)> {
    let wrong = || {
        vec![
            Value::Null,
            json!(true),
            json!(-1),
            json!(1e300),
            json!(""),
            json!("\u{1}\u{202e}🦀"),
            json!([]),
            json!([[null]]),
            json!({}),
            json!({"": {}}),
        ]
    };
    let mut paths: Vec<String> = Vec::new();
    collect_paths(document, String::new(), &mut paths);
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| !path.is_empty()) {
        for value in wrong() {
            let mut copy = document.clone();
            if let Some(part) = copy.pointer_mut(path) {
                *part = value;
            }
            found.push((path.clone(), copy));
        }
        let (parent, key) = path.rsplit_once('/').unwrap_or_default();
        let mut copy = document.clone();
        if let Some(Value::Object(fields)) = copy.pointer_mut(parent) {
            fields.remove(key);
            found.push((path.clone(), copy));
        }
    }
    found
}

fn collect_paths(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, part) in fields {
                collect_paths(part, format!("{path}/{key}"), paths);
            }
        }
        Value::Array(parts) => {
            for (at, part) in parts.iter().enumerate() {
                collect_paths(part, format!("{path}/{at}"), paths);
            }
        }
        _ => {}
    }
    paths.push(path);
}

fn combination(routine: &Routine, bad_values: &[BadValue], rng: &mut Rng) -> String {
    let chosen: Vec<(String, Option<String>)> = routine
        .arguments
        .iter()
        .map(|argument| {
            let fitting: Vec<&BadValue> = bad_values.iter().filter(|value| value.kind == argument.kind).collect();
            let value = (rng.u8(0..3) > 0).then(|| rng.choice(fitting).map(|value| value.expression.clone()));
            (argument.name.clone(), value.flatten())
        })
        .collect();
    routine.call(|argument| {
        let found = chosen.iter().find(|(name, _)| *name == argument.name);
        found.and_then(|(_, expression)| expression.clone())
    })
}

/// Makes the call and checks the tables after it. The call is in a transaction that is rolled back if the routine is a
/// function. One message to the server contains all statements, which saves round trips.
fn attempt(client: &mut Client, routine: &Routine, call: &str, checks: &str) -> Result<Outcome> {
    let (outcome, wrong) = if routine.is_procedure {
        let (outcome, _) = answer(client, call)?;
        (outcome, client.simple_query(checks)?)
    } else {
        let script = format!(
            "BEGIN; SAVEPOINT before; {call}; SET CONSTRAINTS ALL IMMEDIATE; RELEASE before; {checks}; ROLLBACK"
        );
        let (outcome, messages) = answer(client, &script)?;
        let messages = match outcome {
            Outcome::Rows(..) => messages,
            Outcome::Raised(..) => client.simple_query(&format!("ROLLBACK TO before; {checks}; ROLLBACK"))?,
        };
        (outcome, messages)
    };
    routine.check(call, &outcome)?;
    let wrong = wrong.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.len() == 1 => row.get(0).map(str::to_string),
        _ => None,
    });
    ensure!(wrong.is_none(), "{call}\nviolates: {wrong:?}");
    Ok(outcome)
}

/// Returns one query that returns a row per violated invariant. Its answer also proves that the server still runs.
fn checks(context: &Context) -> Result<String> {
    let mut parts = vec!["SELECT 'no status' WHERE (SELECT count(*) FROM multica_status()) <> 1".to_string()];
    for name in INVARIANTS {
        let file = context.project.harness().join("invariants").join(format!("{name}.sql"));
        let query = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let query = query.trim_end().trim_end_matches(';');
        parts.push(format!("SELECT '{name}' WHERE EXISTS (\n{query}\n)"));
    }
    Ok(parts.join("\nUNION ALL\n"))
}

/// Fails unless an error about an argument names the argument.
fn names_the_argument(call: &str, argument: &Argument, outcome: &Outcome) -> Result<()> {
    if let Outcome::Raised(code, message) = outcome
        && ["22004", "22023"].contains(&code.as_str())
        && message.starts_with("argument")
    {
        let name = &argument.name;
        let named = [format!("\"{name}\""), format!("\"{name}."), format!("{name},")];
        ensure!(named.iter().any(|name| message.contains(name)), "{call}\ndoes not name {name}: {message}");
    }
    Ok(())
}
