//! What must hold after every step, whatever the model says. It is checked on the rows of the database.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::SimpleQueryRow;

/// A task.
#[derive(Clone, Default)]
pub struct Row {
    parent: Option<String>,
    status: String,
    attempt: i32,
    max_attempts: i32,
    agent: String,
    issue: Option<String>,
    chat: Option<String>,
    has_ended: bool,
    has_lease: bool,
    has_wait_reason: bool,
    /// Stands for the whole row once it has ended.
    final_row: Option<String>,
}

/// An agent, or a limit: how many tasks may be in flight, and how many are.
#[derive(Clone, Copy)]
struct Place {
    room: i64,
    taken: i64,
}

/// The rows after a step.
#[derive(Clone, Default)]
pub struct Rows {
    tasks: BTreeMap<String, Row>,
    places: BTreeMap<String, Place>,
}

fn text(row: &SimpleQueryRow, column: &str) -> Result<String> {
    Ok(row.try_get(column)?.with_context(|| format!("{column} is NULL"))?.to_string())
}

fn optional(row: &SimpleQueryRow, column: &str) -> Result<Option<String>> {
    Ok(row.try_get(column)?.map(str::to_string))
}

fn number<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &SimpleQueryRow, column: &str) -> Result<T> {
    text(row, column)?.parse().with_context(|| format!("{column} is no number"))
}

impl Rows {
    /// Adds a row of the fixture `model_tasks` or `model_places`.
    pub fn add(&mut self, row: &SimpleQueryRow) -> Result<()> {
        if row.columns()[0].name() == "place" {
            let place = Place { room: number(row, "room")?, taken: number(row, "taken")? };
            self.places.insert(text(row, "place")?, place);
            return Ok(());
        }
        let is_true = |column| Ok::<_, anyhow::Error>(text(row, column)? == "t");
        let task = Row {
            parent: optional(row, "parent_task_id")?,
            status: text(row, "status")?,
            attempt: number(row, "attempt")?,
            max_attempts: number(row, "max_attempts")?,
            agent: text(row, "agent_id")?,
            issue: optional(row, "issue_id")?,
            chat: optional(row, "chat_session_id")?,
            has_ended: is_true("has_ended")?,
            has_lease: is_true("has_lease")?,
            has_wait_reason: is_true("has_wait_reason")?,
            final_row: optional(row, "final_row")?,
        };
        self.tasks.insert(text(row, "id")?, task);
        Ok(())
    }

    /// Fails if an invariant does not hold. `before`: the rows before the step. `pins`: whether the step stores a session,
    /// which it may do in a cancelled task.
    pub fn check(&self, before: &Rows, pins: bool) -> Result<()> {
        self.no_place_is_overfilled(before)?;
        self.one_task_at_a_time()?;
        self.retries_go_on_with_failures()?;
        for (id, task) in &self.tasks {
            task.check().with_context(|| format!("task {id} is {}", task.status))?;
            let former = before.tasks.get(id).and_then(|former| former.final_row.as_ref());
            ensure!(
                pins || former.is_none() || former == task.final_row.as_ref(),
                "task {id} had ended, and has changed"
            );
        }
        Ok(())
    }

    /// More tasks are in flight than before only as far as the agent and the limits have room.
    fn no_place_is_overfilled(&self, before: &Rows) -> Result<()> {
        for (name, place) in &self.places {
            let former = before.places.get(name).map_or(place.taken, |former| former.taken);
            ensure!(
                place.taken <= former.max(place.room),
                "{name} has {} tasks in flight and room for {}",
                place.taken,
                place.room
            );
        }
        Ok(())
    }

    fn one_task_at_a_time(&self) -> Result<()> {
        let mut seen = HashSet::new();
        for (id, task) in &self.tasks {
            let pair = task.issue.as_ref().map(|issue| format!("issue {issue} and agent {}", task.agent));
            let chat = task.chat.as_ref().map(|chat| format!("chat {chat}"));
            let is_pending = matches!(task.status.as_str(), "queued" | "dispatched");
            let mut rules =
                [(pair.as_ref(), task.is_in_flight(), "in flight"), (chat.as_ref(), task.is_in_flight(), "in flight")]
                    .into_iter()
                    .chain([(pair.as_ref(), is_pending, "pending")]);
            let second =
                rules.find(|(of, holds, state)| *holds && of.is_some_and(|of| !seen.insert((of.clone(), *state))));
            if let Some((of, _, state)) = second {
                bail!("{} has two tasks {state}, one is {id}", of.cloned().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A failed task has at most one retry, and no other task has one. So no attempt follows work that is finished.
    fn retries_go_on_with_failures(&self) -> Result<()> {
        let mut retried = HashSet::new();
        for (id, task) in &self.tasks {
            let Some(parent) = &task.parent else {
                ensure!(task.attempt == 1, "task {id} is attempt {} of no other task", task.attempt);
                continue;
            };
            ensure!(retried.insert(parent), "task {parent} has two retries, one is {id}");
            let parent = self.tasks.get(parent).with_context(|| format!("task {id} is the retry of no task"))?;
            ensure!(parent.status == "failed", "task {id} is the retry of a task that is {}", parent.status);
            ensure!(
                task.attempt == parent.attempt + 1 && task.attempt <= task.max_attempts,
                "task {id} is attempt {} of {} after {}",
                task.attempt,
                task.max_attempts,
                parent.attempt
            );
        }
        Ok(())
    }
}

impl Row {
    fn is_in_flight(&self) -> bool {
        matches!(self.status.as_str(), "dispatched" | "running" | "waiting_local_directory")
    }

    fn check(&self) -> Result<()> {
        let is_final = matches!(self.status.as_str(), "completed" | "failed" | "cancelled");
        ensure!(self.has_ended == is_final, "it has an end: {}", self.has_ended);
        let may_be_leased = matches!(self.status.as_str(), "dispatched" | "waiting_local_directory");
        ensure!(may_be_leased || !self.has_lease, "it has a lease");
        ensure!(self.status == "waiting_local_directory" || !self.has_wait_reason, "it has a wait reason");
        Ok(())
    }
}

/// Each broken rule is detected. The rows are those of a failed task of an issue and of its retry, which runs.
pub fn broken_rows_are_detected() -> Result<()> {
    let first = Row {
        status: "failed".to_string(),
        attempt: 1,
        max_attempts: 2,
        issue: Some("d1".to_string()),
        chat: Some("51".to_string()),
        has_ended: true,
        final_row: Some("row".to_string()),
        ..Row::default()
    };
    let retry = Row {
        parent: Some("1".to_string()),
        status: "running".to_string(),
        attempt: 2,
        has_ended: false,
        final_row: None,
        ..first.clone()
    };
    let of = |tasks: Vec<Row>| Rows {
        tasks: (1..).map(|id: i32| id.to_string()).zip(tasks).collect(),
        places: BTreeMap::from([("c1".to_string(), Place { room: 1, taken: 1 })]),
    };
    let right = of(vec![first.clone(), retry.clone()]);
    right.check(&right, false)?;
    right.check(&Rows::default(), false)?;

    let words = |status: &str| status.to_string();
    let another = Row { parent: None, attempt: 1, ..retry.clone() };
    let queued = Row { status: words("queued"), ..another.clone() };
    let in_chat = Row { issue: None, ..another.clone() };
    let changed = Row { final_row: Some(words("another")), ..first.clone() };
    let with = |first: &Row, others: &[Row]| of([vec![first.clone()], others.to_vec()].concat());
    let broken = [
        ("two tasks in flight", with(&first, &[retry.clone(), another])),
        ("two tasks in flight", with(&first, &[retry.clone(), in_chat])),
        ("two tasks pending", with(&first, &[queued.clone(), queued.clone()])),
        ("had ended, and has changed", with(&changed, std::slice::from_ref(&retry))),
        ("it has an end: false", with(&Row { has_ended: false, ..first.clone() }, std::slice::from_ref(&retry))),
        ("it has an end: true", with(&first, &[Row { has_ended: true, ..retry.clone() }])),
        ("it has a lease", with(&Row { has_lease: true, ..first.clone() }, std::slice::from_ref(&retry))),
        ("it has a wait reason", with(&first, &[Row { has_wait_reason: true, ..retry.clone() }])),
        ("has two retries", with(&first, &[Row { issue: None, chat: None, ..retry.clone() }, retry.clone()])),
        (
            "retry of a task that is completed",
            with(&Row { status: words("completed"), ..first.clone() }, std::slice::from_ref(&retry)),
        ),
        ("is attempt 3 of 2 after 1", with(&first, &[Row { attempt: 3, ..retry.clone() }])),
        ("is attempt 2 of no other task", with(&first, &[Row { parent: None, ..retry.clone() }])),
    ];
    for (rule, rows) in broken {
        let found = rows.check(&right, false).err().with_context(|| format!("{rule}: it is not detected"))?;
        ensure!(format!("{found:#}").contains(rule), "{rule}: {found:#}");
    }
    let mut full = right.clone();
    full.places.insert("c1".to_string(), Place { room: 1, taken: 2 });
    ensure!(full.check(&right, false).is_err(), "a third task in flight is not detected");
    with(&changed, &[retry]).check(&right, true)
}
