//! Every argument of every routine, with whatever its type can hold.

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use postgres::{Client, SimpleQueryMessage};
use serde_json::{Value, json};

use super::routine::{Argument, Outcome, Routine, answer, routines, sensible_calls_succeed, world};
use crate::context::Context;
use crate::suites::support::{self, text};

/// The invariants that hold in the tables of any moment, whatever was called.
const INVARIANTS: [&str; 5] = [
    "i01_one_pending_per_issue_and_agent",
    "i06_attempts_count_up",
    "i07_first_attempt_is_one",
    "agent_status_matches_tasks_in_flight",
    "ended_tasks_have_completed_at",
];
/// Calls of each routine with arguments that are hostile in any combination; MULTICA_CASES asks for more.
const COMBINATIONS: u64 = 10;

/// What an argument of one type is given.
struct Hostile {
    kind: String,
    word: String,
    expression: String,
}

/// Never a crash, never XX000, never a NULL that says nothing, and no tables in disorder.
pub fn no_argument_causes_internal_error(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    let routines = routines(context, &mut client)?;
    sensible_calls_succeed(&mut client, &routines)?;
    let hostile = hostile(context, &mut client)?;
    let order = order(context)?;
    let seed = support::number("MULTICA_SEED", 1)?;
    let combinations = support::number("MULTICA_CASES", COMBINATIONS)?;
    let mut rng = Rng::with_seed(seed);
    for routine in &routines {
        for argument in &routine.arguments {
            for value in of_argument(argument, &hostile)? {
                let choose = |of: &Argument| (of.name == argument.name).then(|| value.expression.clone());
                let call = routine.call(choose);
                let outcome = attempt(&mut client, routine, &call, &order)
                    .with_context(|| format!("{}, {} is {}", routine.name, argument.name, value.word))?;
                names_the_argument(&call, argument, &outcome)?;
            }
        }
        // With one argument there is nothing to combine.
        let some = (routine.arguments.len() > 1).then_some(combinations);
        for _ in 0..some.unwrap_or_default() {
            let call = combination(routine, &hostile, &mut rng);
            attempt(&mut client, routine, &call, &order).with_context(|| format!("MULTICA_SEED={seed} repeats it"))?;
        }
    }
    Ok(())
}

fn hostile(context: &Context, client: &mut Client) -> Result<Vec<Hostile>> {
    let rows = client.query(&text(context, "hostile/values")?, &[])?;
    Ok(rows.iter().map(|row| Hostile { kind: row.get(0), word: row.get(1), expression: row.get(2) }).collect())
}

/// The values for an argument's type; for a document also what becomes of a sensible one when any part of it is
/// another.
fn of_argument(argument: &Argument, hostile: &[Hostile]) -> Result<Vec<Hostile>> {
    let mut values: Vec<Hostile> = hostile
        .iter()
        .filter(|value| value.kind == argument.kind)
        .map(|value| Hostile {
            kind: value.kind.clone(),
            word: value.word.clone(),
            expression: value.expression.clone(),
        })
        .collect();
    ensure!(!values.is_empty(), "say in fixtures/hostile/values.sql what there is of type {}", argument.kind);
    if argument.kind == "jsonb" {
        let document = argument.valid.trim_matches('\'').replace("''", "'");
        for (path, document) in mutations(&serde_json::from_str(&document)?) {
            values.push(Hostile {
                kind: argument.kind.clone(),
                word: format!("wrong in {path}"),
                expression: format!("'{}'", document.to_string().replace('\'', "''")),
            });
        }
    }
    Ok(values)
}

/// The document with each of its parts left out or replaced.
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

fn combination(routine: &Routine, hostile: &[Hostile], rng: &mut Rng) -> String {
    let chosen: Vec<(String, Option<String>)> = routine
        .arguments
        .iter()
        .map(|argument| {
            let fitting: Vec<&Hostile> = hostile.iter().filter(|value| value.kind == argument.kind).collect();
            let value = (rng.u8(0..3) > 0).then(|| rng.choice(fitting).map(|value| value.expression.clone()));
            (argument.name.clone(), value.flatten())
        })
        .collect();
    routine.call(|argument| {
        let found = chosen.iter().find(|(name, _)| *name == argument.name);
        found.and_then(|(_, expression)| expression.clone())
    })
}

/// Makes the call, in a transaction that is rolled back where it can be, and looks at the tables as it leaves them. All
/// of it is one message to the server and back.
fn attempt(client: &mut Client, routine: &Routine, call: &str, order: &str) -> Result<Outcome> {
    let (outcome, wrong) = if routine.is_procedure {
        let (outcome, _) = answer(client, call)?;
        (outcome, client.simple_query(order)?)
    } else {
        let script = format!(
            "BEGIN; SAVEPOINT before; {call}; SET CONSTRAINTS ALL IMMEDIATE; RELEASE before; {order}; ROLLBACK"
        );
        let (outcome, messages) = answer(client, &script)?;
        let messages = match outcome {
            Outcome::Rows(..) => messages,
            Outcome::Raised(..) => client.simple_query(&format!("ROLLBACK TO before; {order}; ROLLBACK"))?,
        };
        (outcome, messages)
    };
    routine.check(call, &outcome)?;
    let wrong = wrong.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.len() == 1 => row.get(0).map(str::to_string),
        _ => None,
    });
    ensure!(wrong.is_none(), "{call}\nleaves behind: {wrong:?}");
    Ok(outcome)
}

/// One query for everything that is to be in order, with a row for what is not; and the server still answers.
fn order(context: &Context) -> Result<String> {
    let mut parts = vec!["SELECT 'no status' WHERE (SELECT count(*) FROM multica_status()) <> 1".to_string()];
    for name in INVARIANTS {
        let file = context.project.harness().join("invariants").join(format!("{name}.sql"));
        let query = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let query = query.trim_end().trim_end_matches(';');
        parts.push(format!("SELECT '{name}' WHERE EXISTS (\n{query}\n)"));
    }
    Ok(parts.join("\nUNION ALL\n"))
}

/// An argument that is refused as such is named.
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
