//! Who has made the tables that exist: install, or the migrations of a server.

use std::collections::HashSet;

use super::catalog::{Relation, Shape};
use super::tables::TASKS;
use crate::lifecycle::features::Feature;
use crate::postgres::features::is_present;

/// The trigger that numbers issues, and its function. Only install creates them. If the table is moved to another
/// schema, the trigger moves with it, but the function does not.
const MADE_BY_INSTALL: [&str; 2] = ["issue.multica_issue_number", "multica_issue_number()"];

/// Who has made the tables that exist.
pub struct Origin {
    there: HashSet<String>,
    is_own: bool,
    lacks_lease_and_retry: bool,
}

impl Origin {
    /// Finds out from what exists.
    pub fn of(relations: &[Relation], found: &Shape) -> Self {
        let is_made_by_install = |object: &str| MADE_BY_INSTALL.contains(&object);
        let has_attempts = found.columns.iter().any(|column| column.table == TASKS && column.name == "attempt");
        Self {
            there: relations.iter().map(|relation| relation.name.clone()).collect(),
            is_own: found.parts.iter().any(|part| part.is_trigger() && is_made_by_install(&part.object)),
            lacks_lease_and_retry: !has_attempts,
        }
    }

    /// Whether install has made the tables that exist.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Whether a table exists.
    pub fn is_there(&self, table: &str) -> bool {
        self.there.contains(table)
    }

    /// Whether a server has made tables that exist.
    pub fn is_adopted(&self) -> bool {
        !self.is_own && self.is_there(TASKS)
    }

    /// Whether a table is to have a feature: a table of a server has the features that its migrations gave it, and any
    /// other table has all features that its file declares.
    pub fn has(&self, table: &str, feature: &str) -> bool {
        self.is_own || !self.is_there(table) || self.gets_with_migration(table, feature) || is_present(feature)
    }

    /// Whether the server's migrations after 055 have changed the tables.
    pub fn is_later_than_055(&self) -> bool {
        self.is_adopted() && Feature::RedisEra.is_present()
    }

    /// Whether the task table lacks the columns of migration 055. Install adds them, and this feature with them.
    pub fn lacks_lease_and_retry(&self) -> bool {
        self.lacks_lease_and_retry
    }

    fn gets_with_migration(&self, table: &str, feature: &str) -> bool {
        self.lacks_lease_and_retry && table == TASKS && feature == "task_beat"
    }
}
