//! Plans what install has to do: the difference between the shape that the files declare and the shape that exists,
//! object by object.

use std::collections::HashSet;

use super::catalog::{Column, Constraint, DeclaredSchema, Index, Part, Shape};
use super::locks::Lock;
use super::origin::Origin;
use super::step::{Action, Kind, Step};
use super::tables::{
    FORMER_INDEXES, FORMER_STATUS_CHECK, OPTIONAL, REPLACED, STATUS_CHECK, TABLES, TASKS, Table, is_own,
};
use crate::error::{Error, Result, Word};

/// Returns the steps in the order in which they can run: tables, columns and constraints, indexes, what takes the place of
/// something else, other parts. With another status check a statement may need another index, so the check comes after the
/// indexes.
pub fn plan(wanted: &DeclaredSchema, origin: &Origin, found: &Shape, schema: &str) -> Result<Vec<Step>> {
    let planner = Planner { wanted, origin, found, schema: pgrx::spi::quote_identifier(schema) };
    let columns: Vec<(&str, Step)> = planner.columns();
    let constraints = planner.constraints();
    let mut steps: Vec<Step> = TABLES.iter().map(|table| planner.table(table)).collect();
    for (table, addition) in columns.into_iter().chain(constraints) {
        let of_table = steps.iter_mut().find(|step| step.object == table);
        if let (Some(step), Action::Created) = (of_table, addition.action)
            && step.action == Action::Adopted
        {
            step.action = Action::Altered;
        }
        steps.push(addition);
    }
    for index in &wanted.all.indexes {
        steps.extend(planner.index(index)?);
    }
    steps.extend(planner.status_check());
    steps.extend(wanted.all.parts.iter().filter_map(|it| planner.part(it)));
    steps.extend(planner.former_indexes());
    Ok(steps)
}

struct Planner<'a> {
    wanted: &'a DeclaredSchema,
    origin: &'a Origin,
    found: &'a Shape,
    schema: String,
}

impl<'a> Planner<'a> {
    fn table(&self, table: &Table) -> Step {
        if self.origin.is_there(table.name) {
            return Step::adopted(table.name);
        }
        let extra = table.extra(&self.schema, &self.schema);
        let ddl = format!("{}\n{extra}", table.shape(|_| true));
        let step = Step::new(table.name, Action::Created, ddl.trim_end());
        let keys = self.wanted.all.constraints.iter().filter(|it| it.table == table.name);
        keys.filter_map(|key| key.refers_to.as_deref()).fold(step, |step, other| self.locked(step, other, Lock::Writes))
    }

    /// Adds the lock to the step if the table exists.
    fn locked(&self, step: Step, table: &str, lock: Lock) -> Step {
        if self.origin.is_there(table) { step.locking(table, lock) } else { step }
    }

    fn columns(&self) -> Vec<(&'a str, Step)> {
        let wanted = self.wanted.all.columns.iter();
        wanted
            .filter(|column| !self.comes_with_table(&column.table, &column.name))
            .flat_map(|column| {
                let steps = self.column(column).into_iter();
                steps.map(|step| (column.table.as_str(), step))
            })
            .collect()
    }

    fn column(&self, column: &Column) -> Vec<Step> {
        let object = format!("{}.{}", column.table, column.name);
        let Some(there) = find_column(self.found, column) else {
            let step = Step::new(object, Action::Created, &column.add);
            return vec![self.locked(step, &column.table, Lock::Everything)];
        };
        let mut steps = Vec::new();
        if self.is_replaced(&object) {
            return steps;
        }
        if self.origin.is_own() && there.not_null && OPTIONAL.contains(&(&column.table, &column.name)) {
            let step = Step::new(object.as_str(), Action::Altered, &column.drop_not_null);
            steps.push(step.locking(&column.table, Lock::Everything));
        }
        if column.not_null && !there.not_null {
            steps.push(Step::new(object.as_str(), Action::Missing, &column.set_not_null));
        }
        if let Some(set_default) = &column.set_default
            && !there.has_default
            && !self.may_mend(&column.table)
        {
            steps.push(Step::new(object, Action::Missing, set_default));
        }
        steps
    }

    fn constraints(&self) -> Vec<(&'a str, Step)> {
        let wanted = self.wanted.all.constraints.iter();
        wanted
            .filter(|it| !self.comes_with_table(&it.table, &it.name))
            .filter_map(|it| Some((it.table.as_str(), self.constraint(it)?)))
            .collect()
    }

    fn constraint(&self, constraint: &Constraint) -> Option<Step> {
        let of_table = || {
            let all = self.found.constraints.iter();
            all.filter(|it| it.table == constraint.table)
        };
        if let Some(there) = of_table().find(|it| it.signature == constraint.signature) {
            return self.validation(constraint, there);
        }
        if self.takes_place(constraint) {
            return None;
        }
        let is_name_free = of_table().all(|it| it.name != constraint.name);
        let action = if is_name_free && self.may_add(&constraint.table, &constraint.name) {
            Action::Created
        } else {
            Action::Missing
        };
        let object = format!("{}.{}", constraint.table, constraint.name);
        let is_reported = action != Action::Missing || !self.is_replaced(&object);
        is_reported.then(|| {
            let step = Step::new(object, action, &constraint.add);
            match &constraint.refers_to {
                _ if action != Action::Created => step,
                Some(other) => {
                    let step = self.locked(step.of(Kind::Constraint), &constraint.table, Lock::Writes);
                    self.locked(step, other, Lock::Writes)
                }
                None => {
                    let kind = if constraint.can_be_unvalidated() { Kind::Constraint } else { Kind::Key };
                    self.locked(step.of(kind), &constraint.table, Lock::Everything)
                }
            }
        })
    }

    /// Returns the step that validates a constraint which an earlier call has added.
    fn validation(&self, wanted: &Constraint, there: &Constraint) -> Option<Step> {
        let is_installs = is_in(&self.wanted.later, &wanted.table, &wanted.name) || wanted.name == STATUS_CHECK;
        let is_pending = self.origin.is_own() && is_installs && there.name == wanted.name && !there.is_validated;
        let ddl = there.validate.as_deref().filter(|_| is_pending)?;
        let step = Step::new(format!("{}.{}", there.table, there.name), Action::Altered, ddl);
        Some(step.of(Kind::Validation).locking(&there.table, Lock::Changes))
    }

    /// Whether the constraint takes the place of the status check of an earlier version.
    fn takes_place(&self, constraint: &Constraint) -> bool {
        let mut found = self.found.constraints.iter();
        self.origin.is_own()
            && constraint.table == TASKS
            && found.any(|it| it.table == TASKS && it.name == constraint.name && it.signature == FORMER_STATUS_CHECK)
            && constraint.signature != FORMER_STATUS_CHECK
    }

    fn status_check(&self) -> Option<Step> {
        let check = self.wanted.all.constraints.iter().find(|it| self.takes_place(it))?;
        let step = Step::new(format!("{}.{}", check.table, check.name), Action::Altered, check.replace.as_deref()?);
        Some(step.of(Kind::StatusCheck).locking(TASKS, Lock::Everything))
    }

    /// Returns the steps that drop the indexes of earlier versions. A server's tables keep them.
    fn former_indexes(&self) -> Vec<Step> {
        if !self.origin.is_own() {
            return Vec::new();
        }
        let former = self.found.indexes.iter().filter(|it| it.table == TASKS && FORMER_INDEXES.contains(&&*it.name));
        former
            .map(|it| {
                let step = Step::new(&it.name, Action::Dropped, &it.drop);
                step.of(Kind::FormerIndex).locking(TASKS, Lock::Everything)
            })
            .collect()
    }

    fn index(&self, index: &Index) -> Result<Option<Step>> {
        if index.of_constraint || self.comes_with_table(&index.table, &index.name) {
            return Ok(None);
        }
        let all = &self.found.indexes;
        if let Some(serving) = all.iter().find(|there| serves(there, index, self.origin)) {
            return Ok(Some(Step::adopted(&serving.name)));
        }
        if !self.may_add(&index.table, &index.name) {
            if self.is_replaced(&index.name) {
                return Ok(None);
            }
            let step = Step::new(&index.name, Action::Missing, &index.create);
            return Ok(Some(step));
        }
        if let Some(other) = all.iter().find(|there| there.name == index.name) {
            return Err(name_taken(other, index));
        }
        let step = Step::new(&index.name, Action::Created, &index.create).of(Kind::Index);
        Ok(Some(self.locked(step, &index.table, Lock::Writes)))
    }

    /// Returns the step for a part that is not as this version makes it. On a table that is shared with the server, a
    /// different default stays, because a user has chosen it.
    fn part(&self, part: &Part) -> Option<Step> {
        let table = part.table.as_deref()?;
        let is_addable = is_in(&self.wanted.addable, table, &part.object);
        let is_mended = self.origin.is_there(table) && self.may_mend(table);
        if !is_addable && !is_mended {
            return None;
        }
        let there = find_part(self.found, part);
        let is_as_it_was_made = there.is_some_and(|it| it.value == part.value);
        let is_somebodys = part.kind == "default" && there.is_some() && !is_own(table);
        let comes_with_column = matches!(part.kind.as_str(), "default" | "identity") && !self.has_column(&part.object);
        let of_function = |it: &Part| it.kind == "function" && it.object == part.object;
        let comes_with_function = part.kind == "comment"
            && self.wanted.all.parts.iter().any(of_function)
            && !self.found.parts.iter().any(of_function);
        if is_as_it_was_made || is_somebodys || comes_with_column || comes_with_function {
            return None;
        }
        let action = if is_addable && there.is_none() { Action::Created } else { Action::Altered };
        let lock = match part.kind.as_str() {
            "default" | "identity" => Lock::Everything,
            "trigger" => Lock::Writes,
            _ => Lock::Changes,
        };
        Some(self.locked(Step::new(&part.object, action, &part.mend), table, lock))
    }

    fn has_column(&self, object: &str) -> bool {
        let mut all = self.found.columns.iter();
        all.any(|it| object == format!("{}.{}", it.table, it.name))
    }

    /// Whether the server's later migrations have removed an object or replaced it by another.
    fn is_replaced(&self, object: &str) -> bool {
        self.origin.is_later_than_055() && REPLACED.contains(&object)
    }

    /// Whether install restores the parts of this table that are missing or different.
    fn may_mend(&self, table: &str) -> bool {
        is_own(table) || self.origin.is_own()
    }

    /// Whether the object is part of a CREATE TABLE that is still to run.
    fn comes_with_table(&self, table: &str, name: &str) -> bool {
        !self.origin.is_there(table) && is_in(&self.wanted.with_table, table, name)
    }

    /// Whether the object may be added: the table is to be created, or it is the extension's own, or install has made it
    /// before the object was declared, or the object is one of the few that install adds to an adopted table.
    fn may_add(&self, table: &str, name: &str) -> bool {
        !self.origin.is_there(table)
            || is_own(table)
            || is_in(&self.wanted.addable, table, name)
            || (self.origin.is_own() && is_in(&self.wanted.later, table, name))
    }
}

/// Whether a table must have this column to count as a table of Multica.
pub fn is_required(wanted: &DeclaredSchema, origin: &Origin, column: &Column) -> bool {
    let is_in = |set| is_in(set, &column.table, &column.name);
    let is_added = is_in(&wanted.addable) || (origin.is_own() && is_in(&wanted.later));
    !is_own(&column.table) && !is_added
}

fn find_part<'a>(shape: &'a Shape, part: &Part) -> Option<&'a Part> {
    let mut all = shape.parts.iter();
    all.find(|it| it.object == part.object && it.kind == part.kind)
}

/// Returns the column with the same table and name.
pub fn find_column<'a>(shape: &'a Shape, column: &Column) -> Option<&'a Column> {
    let mut all = shape.columns.iter();
    all.find(|it| it.table == column.table && it.name == column.name)
}

fn is_in(set: &HashSet<(String, String)>, table: &str, name: &str) -> bool {
    set.iter().any(|(of, it)| of == table && it == name)
}

/// Whether an existing index can be used instead of the wanted one. For a search, its first keys must be the wanted
/// ones; for uniqueness, all its keys. The predicate must be the same: without the predicate, the index grows with the
/// history, and a search in its order reads the ended tasks. A predicate that only excludes NULL does not matter, but
/// tables that install has made get the smaller index. Only the index of the pending slot is accepted with any predicate
/// that contains the same statuses, because the server changed the predicate and the name over time. With a second index
/// beside it, an insert of the server that names one of them would be an error of the other.
fn serves(there: &Index, wanted: &Index, origin: &Origin) -> bool {
    let is_wider = there.predicate.is_empty() && excludes_only_null(&wanted.predicate) && !origin.is_own();
    let same_predicate = there.predicate == wanted.predicate || is_wider;
    let same_slot = wanted.unique && ["queued", "dispatched"].iter().all(|word| there.predicate.contains(word));
    let enough_keys =
        if wanted.unique { there.unique && there.keys == wanted.keys } else { there.keys.starts_with(&wanted.keys) };
    there.table == wanted.table && there.usable && enough_keys && (same_predicate || same_slot)
}

fn excludes_only_null(predicate: &str) -> bool {
    predicate.ends_with(" IS NOT NULL)") && !predicate.contains(" AND ") && !predicate.contains(" OR ")
}

fn name_taken(there: &Index, wanted: &Index) -> Error {
    let problem = if there.usable {
        "is not the index that multica needs"
    } else {
        "is invalid: a CREATE INDEX CONCURRENTLY has failed"
    };
    Error::state(
        Word::TableConflict,
        format!("index \"{}\" {problem}", there.name),
        format!("The required index is: {}", wanted.create),
        format!("Drop or rename index \"{}\", then run SELECT * FROM multica_install();", there.name),
    )
}
