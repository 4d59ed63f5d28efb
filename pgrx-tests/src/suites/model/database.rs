//! The database: it executes a statement, and its rows are compared with the model.

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, SimpleQueryMessage, SimpleQueryRow, Transaction};
use uuid::Uuid;

use super::super::support::text;
use super::invariants::Rows;
use super::task::Task;
use super::world::Model;
use crate::context::Context;

/// The result of a step: the returned texts or its error, and the rows after the step.
pub struct Outcome {
    /// The returned texts, or the word of the error. An error without a word has its SQLSTATE.
    pub answer: std::result::Result<Vec<String>, String>,
    /// What the invariants are checked on.
    pub rows: Rows,
    state: Vec<SimpleQueryRow>,
}

/// The number of columns of a row that the fixture `model_state` returns.
const OF_STATE: usize = 5;

/// Reads the rows after a step.
const READ: &str = "EXECUTE model_state; EXECUTE model_tasks; EXECUTE model_places";

/// Prepares the queries that read the rows after each step, so that they are planned once.
pub fn prepare(context: &Context, client: &mut Client) -> Result<()> {
    for query in ["model_state", "model_tasks", "model_places"] {
        client.batch_execute(&format!("PREPARE {query} AS {}", text(context, query)?))?;
    }
    Ok(())
}

/// Runs a statement and reads the rows after it, in one message to the server. The changes of a statement that is to fail
/// are rolled back; if another one fails, that is an error.
pub fn execute(transaction: &mut Transaction, sql: &str, fails: bool) -> Result<Outcome> {
    let script = if fails { format!("SAVEPOINT step; {sql}; {READ}") } else { format!("{sql}; {READ}") };
    let (answer, messages) = match transaction.simple_query(&script) {
        Ok(messages) => (Ok(()), messages),
        Err(error) if fails => {
            let raised = error.as_db_error().with_context(|| format!("{sql}: {error:?}"))?;
            let word = raised.constraint().unwrap_or(raised.code().code()).to_string();
            (Err(word), transaction.simple_query(&format!("ROLLBACK TO step; RELEASE step; {READ}"))?)
        }
        Err(error) => return Err(error).with_context(|| sql.to_string()),
    };
    let (mut words, mut rows, mut state) = (Vec::new(), Rows::default(), Vec::new());
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) if row.len() == 1 => words.push(row.get(0).unwrap_or_default().to_string()),
            SimpleQueryMessage::Row(row) if row.len() == OF_STATE => state.push(row),
            SimpleQueryMessage::Row(row) => rows.add(&row)?,
            _ => {}
        }
    }
    Ok(Outcome { answer: answer.map(|()| words), rows, state })
}

/// Compares the rows with the model; new tasks of the model get their ids.
pub fn compare(outcome: &Outcome, model: &mut Model) -> Result<()> {
    let mut found: Vec<String> = Vec::new();
    for row in &outcome.state {
        let line = row.get(3).unwrap_or_default();
        let Some(id) = row.get(1) else {
            found.push(line.to_string());
            continue;
        };
        let id = Uuid::parse_str(id)?;
        let parent = row.get(2).map(Uuid::parse_str).transpose()?;
        let parent = parent.map(|parent| find(model, parent)).transpose()?;
        let at = match find(model, id) {
            Ok(at) => at,
            Err(_) => {
                let is_new = |task: &Task| task.id.is_none() && task.parent == parent;
                let at = model.tasks.iter().position(is_new);
                let at = at.with_context(|| format!("a task that the model does not have: {line}"))?;
                model.tasks[at].id = Some(id);
                at
            }
        };
        found.push(format!("#{at} {line}"));
    }
    let expected = lines(model);
    let missing: Vec<&String> = expected.iter().filter(|line| !found.contains(line)).collect();
    let surplus: Vec<&String> = found.iter().filter(|line| !expected.contains(line)).collect();
    ensure!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, found {surplus:?}");
    Ok(())
}

/// Returns the index of a row in the model.
pub fn find(model: &Model, id: Uuid) -> Result<usize> {
    let at = model.tasks.iter().position(|task| task.id == Some(id));
    at.with_context(|| format!("the model has no task {id}"))
}

/// Returns the texts of a result, in which tasks are replaced by their index in the model.
pub fn numbered(model: &Model, words: Vec<String>) -> Result<Vec<String>> {
    let number = |word: &str| match Uuid::parse_str(word) {
        Ok(id) => Ok(format!("#{}", find(model, id)?)),
        Err(_) => Ok(word.to_string()),
    };
    let list = |text: String| Ok(text.split(' ').map(number).collect::<Result<Vec<_>>>()?.join(" "));
    words.into_iter().map(list).collect()
}

fn lines(model: &Model) -> Vec<String> {
    let tasks = model.tasks.iter().enumerate();
    let mut lines: Vec<String> = tasks.map(|(at, task)| format!("#{at} {}", task.line())).collect();
    for (at, runtime) in model.runtimes.iter().enumerate() {
        let status = if runtime.online { "online" } else { "offline" };
        lines.push(format!("b{} {status}", at + 1));
    }
    for (at, agent) in model.agents.iter().enumerate() {
        let status = if agent.working { "working" } else { "idle" };
        lines.push(format!("c{} {status}", at + 1));
    }
    for (at, status) in model.issues.iter().enumerate() {
        lines.push(format!("d{} {status}", at + 1));
    }
    lines.extend(model.events.iter().map(|(kind, many)| format!("{kind} {many}")));
    lines
}
