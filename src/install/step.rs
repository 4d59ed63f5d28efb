//! A step of install: an object, what happens to it, and what its statement locks.

use super::locks::Lock;

/// What happens to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It is missing and is created.
    Created,
    /// It exists and stays as it is.
    Adopted,
    /// It exists and is changed.
    Altered,
    /// An earlier version has made it, nothing needs it any more, and it is dropped.
    Dropped,
    /// It is missing and is only reported, for example because adding it would scan a table under a lock. The owner
    /// must decide.
    Missing,
    /// It exists and should be repaired. The owner must decide.
    Reported,
    /// The objects are left to the next call.
    Next,
}

impl Action {
    /// The word in the result.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Altered => "altered",
            Self::Dropped => "dropped",
            Self::Missing => "missing",
            Self::Reported => "reported",
            Self::Next => "next",
        }
    }
}

/// What decides in which call a step runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It is short, so it runs in any call.
    Plain,
    /// It builds an index.
    Index,
    /// It adds a unique key, whose index is built under the same lock.
    Key,
    /// It adds a constraint, which can be validated later.
    Constraint,
    /// It validates a constraint.
    Validation,
    /// It replaces the status check, after which statements may need a new index.
    StatusCheck,
    /// It drops an index in whose place there is a new one.
    FormerIndex,
}

/// One row of the result: an object, what happens to it, and the statement that does it or would do it.
pub struct Step {
    /// Name of the object, after the name of its table if the object has no own name in the schema.
    pub object: String,
    /// What happens to it.
    pub action: Action,
    /// The statement.
    pub ddl: Option<String>,
    /// In which call it runs.
    pub kind: Kind,
    /// The tables that its statement locks.
    pub locks: Vec<(String, Lock)>,
}

impl Step {
    /// A step with a statement that locks no table.
    pub fn new(object: impl Into<String>, action: Action, ddl: impl Into<String>) -> Self {
        Self { object: object.into(), action, ddl: Some(ddl.into()), kind: Kind::Plain, locks: Vec::new() }
    }

    /// An object that stays as it is.
    pub fn adopted(object: impl Into<String>) -> Self {
        Self { object: object.into(), action: Action::Adopted, ddl: None, kind: Kind::Plain, locks: Vec::new() }
    }

    /// The same step of another kind.
    pub fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The same step, whose statement locks a table.
    pub fn locking(mut self, table: &str, lock: Lock) -> Self {
        self.locks.push((table.to_string(), lock));
        self
    }

    /// Whether its statement runs.
    pub fn runs(&self) -> bool {
        matches!(self.action, Action::Created | Action::Altered | Action::Dropped)
    }

    /// Whether its statement reads a whole table.
    pub fn scans(&self) -> bool {
        matches!(self.kind, Kind::Index | Kind::Validation)
    }

    /// Whether it runs only when no index is missing.
    pub fn waits_for_indexes(&self) -> bool {
        matches!(self.kind, Kind::StatusCheck | Kind::FormerIndex)
    }

    /// Whether its statement locks this table.
    pub fn is_of(&self, table: &str) -> bool {
        self.locks.iter().any(|(name, _)| name == table)
    }
}
