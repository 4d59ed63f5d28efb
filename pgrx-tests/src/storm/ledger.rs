//! What the server has acknowledged to the clients as committed. A commit whose answer was lost is not part of it,
//! because the client cannot know whether it happened.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use postgres::Client;
use uuid::Uuid;

/// What an answer promises about its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Nothing.
    Nothing,
    /// The rows are ids of tasks that exist.
    Exists,
    /// The rows are ids and final statuses of tasks.
    Ended,
}

/// Every promise of one database.
#[derive(Default)]
pub struct Ledger {
    existing: BTreeSet<Uuid>,
    ended: BTreeMap<Uuid, String>,
    taken: BTreeSet<i64>,
    taken_twice: Vec<i64>,
}

const MISSING: &str = "SELECT p.id::text FROM unnest($1::uuid[]) AS p (id) LEFT JOIN agent_task_queue AS t ON t.id = p.id WHERE t.id IS NULL";
const CHANGED: &str = "SELECT p.id || ': ' || p.status || ' became ' || COALESCE(t.status, 'nothing')
     FROM unnest($1::uuid[], $2::text[]) AS p (id, status) LEFT JOIN agent_task_queue AS t ON t.id = p.id
     WHERE t.status IS DISTINCT FROM p.status";
const NOT_TAKEN: &str =
    "SELECT p.id::text FROM unnest($1::bigint[]) AS p (id) LEFT JOIN taken AS t ON t.id = p.id WHERE t.id IS NULL";

impl Ledger {
    /// Records an answer.
    pub fn note(&mut self, promise: Promise, rows: &[String]) -> Result<()> {
        for row in rows {
            match promise {
                Promise::Nothing => {}
                Promise::Exists => {
                    self.existing.insert(row.parse()?);
                }
                Promise::Ended => {
                    let (id, status) = row.split_once(' ').unwrap_or((row, ""));
                    self.ended.insert(id.parse()?, status.to_string());
                }
            }
        }
        Ok(())
    }

    /// Records the events that a named reader took in a committed transaction.
    pub fn note_taken(&mut self, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            if !self.taken.insert(id) {
                self.taken_twice.push(id);
            }
        }
    }

    /// How many promises there are.
    pub fn len(&self) -> usize {
        self.existing.len() + self.ended.len() + self.taken.len()
    }

    /// Whether there is no promise yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fails if the database does not keep a promise.
    pub fn check(&self, client: &mut Client) -> Result<()> {
        let existing: Vec<Uuid> = self.existing.iter().copied().collect();
        let (ended, statuses): (Vec<Uuid>, Vec<&str>) =
            self.ended.iter().map(|(id, status)| (*id, status.as_str())).unzip();
        let taken: Vec<i64> = self.taken.iter().copied().collect();
        for (what, rows) in [
            ("tasks are lost", client.query(MISSING, &[&existing])?),
            ("ends of tasks are undone", client.query(CHANGED, &[&ended, &statuses])?),
            ("events are no longer taken", client.query(NOT_TAKEN, &[&taken])?),
        ] {
            let found: Vec<String> = rows.iter().take(5).map(|row| row.get(0)).collect();
            ensure!(rows.is_empty(), "{} acknowledged {what}: {found:?}", rows.len());
        }
        ensure!(self.taken_twice.is_empty(), "events were taken twice: {:?}", self.taken_twice);
        Ok(())
    }
}
