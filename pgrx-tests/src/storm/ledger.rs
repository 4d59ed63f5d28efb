//! What the clients were told has been committed. A commit whose answer got lost is not in it: either way is right
//! then.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use postgres::Client;
use uuid::Uuid;

/// What an answer promises about its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Nothing to remember.
    Nothing,
    /// Ids of tasks that are there.
    There,
    /// Ids and statuses of tasks that have ended so.
    Ended,
}

/// Every promise of one database.
#[derive(Default)]
pub struct Ledger {
    there: BTreeSet<Uuid>,
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
    /// Writes an answer down.
    pub fn note(&mut self, promise: Promise, rows: &[String]) -> Result<()> {
        for row in rows {
            match promise {
                Promise::Nothing => {}
                Promise::There => {
                    self.there.insert(row.parse()?);
                }
                Promise::Ended => {
                    let (id, status) = row.split_once(' ').unwrap_or((row, ""));
                    self.ended.insert(id.parse()?, status.to_string());
                }
            }
        }
        Ok(())
    }

    /// Writes down events that a named reader took, in a transaction that was committed.
    pub fn note_taken(&mut self, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            if !self.taken.insert(id) {
                self.taken_twice.push(id);
            }
        }
    }

    /// How many promises there are.
    pub fn len(&self) -> usize {
        self.there.len() + self.ended.len() + self.taken.len()
    }

    /// Whether nothing was promised yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fails if a promise was not kept.
    pub fn check(&self, client: &mut Client) -> Result<()> {
        let there: Vec<Uuid> = self.there.iter().copied().collect();
        let (ended, statuses): (Vec<Uuid>, Vec<&str>) =
            self.ended.iter().map(|(id, status)| (*id, status.as_str())).unzip();
        let taken: Vec<i64> = self.taken.iter().copied().collect();
        for (what, rows) in [
            ("tasks are lost", client.query(MISSING, &[&there])?),
            ("ends are undone", client.query(CHANGED, &[&ended, &statuses])?),
            ("events were taken and are not", client.query(NOT_TAKEN, &[&taken])?),
        ] {
            let found: Vec<String> = rows.iter().take(5).map(|row| row.get(0)).collect();
            ensure!(rows.is_empty(), "{} acknowledged {what}: {found:?}", rows.len());
        }
        ensure!(self.taken_twice.is_empty(), "events were taken twice: {:?}", self.taken_twice);
        Ok(())
    }
}
