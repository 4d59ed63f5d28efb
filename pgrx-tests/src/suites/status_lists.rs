//! Each list of task statuses in `sql/` is one of the sets that the library names. The shape of the tables in
//! `sql/tables/` is compared with that of the server instead.

#[path = "../../../src/lifecycle/status_sets.rs"]
#[allow(dead_code)]
mod sets;

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

use self::sets::*;
use super::Suite;
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![every_list_of_statuses_is_a_set, wrong_lists_of_statuses_are_found];

/// The sets that a statement lists after `IN`, and those that it lists after `NOT IN`.
const IN: [(&str, &[&str]); 10] = [
    ("TERMINAL", &TERMINAL),
    ("IN_FLIGHT", &IN_FLIGHT),
    ("STARTABLE", &STARTABLE),
    ("NAMED", &NAMED),
    ("PENDING", &PENDING),
    ("REPLACED_BY_RERUN", &REPLACED_BY_RERUN),
    ("WAITING", &WAITING),
    ("CANCELLABLE", &CANCELLABLE),
    ("UNSUCCESSFUL", &UNSUCCESSFUL),
    ("OPEN_RUN", &["issue_created", "running"]),
];
const NOT_IN: [(&str, &[&str]); 4] = [
    ("NOT_ACTIVE", &NOT_ACTIVE),
    ("NOT_BUSY", &NOT_BUSY),
    ("NOT_WORKING", &NOT_WORKING),
    // The statuses of an issue that every workspace has. The others are rows of `issue_status`.
    ("BUILT_IN", &["backlog", "todo", "in_progress", "in_review", "done", "blocked", "cancelled"]),
];

/// A list of words that is compared with a column `status`.
struct List<'a> {
    line: usize,
    negated: bool,
    /// Whether the line belongs to a part for tables without a feature.
    hidden: bool,
    words: Vec<&'a str>,
}

/// Returns the lists in a file.
fn lists(text: &str) -> Vec<List<'_>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("status") {
        let line = text[..at].matches('\n').count();
        let written = text.lines().nth(line).unwrap_or_default().trim_start();
        let hidden = written.starts_with("--|");
        if written.starts_with("--") && !hidden {
            continue;
        }
        let after = &text[at + "status".len()..];
        let forms = [
            (" IN (", false),
            (" NOT IN (", true),
            (" = ANY ('{", false),
            (" <> ALL ('{", true),
            (" OPERATOR(pg_catalog.=) ANY ('{", false),
            (" OPERATOR(pg_catalog.<>) ALL ('{", true),
        ];
        let Some((list, negated)) =
            forms.iter().find_map(|(form, negated)| Some((after.strip_prefix(form)?, *negated)))
        else {
            continue;
        };
        let list = list.split([')', '}']).next().unwrap_or_default();
        let words = list.split(',').map(|word| word.trim().trim_matches('\'')).collect();
        found.push(List { line: line + 1, negated, hidden, words });
    }
    found
}

/// Returns the set that a list is equal to.
fn set_of(list: &List) -> Result<&'static str> {
    let known: &[(&str, &[&str])] = if list.negated { &NOT_IN } else { &IN };
    let words: BTreeSet<&str> = list.words.iter().copied().collect();
    if list.hidden && !list.negated && words == BTreeSet::from(IN_FLIGHT_WITHOUT_WAITING) {
        return Ok("IN_FLIGHT_WITHOUT_WAITING");
    }
    for (name, set) in known {
        if words == set.iter().copied().collect() && words.len() == list.words.len() {
            return Ok(name);
        }
    }
    bail!("line {}: {}{:?} is no set of statuses", list.line, if list.negated { "NOT IN " } else { "" }, list.words)
}

fn every_list_of_statuses_is_a_set(context: &Context) -> Result<()> {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, text) in context.project.sources("sql")? {
        if file.starts_with("tables/") || file.starts_with("multica--") || file.starts_with("install/") {
            continue;
        }
        for list in lists(&text) {
            match set_of(&list) {
                Ok(set) => {
                    used.insert(set);
                }
                Err(error) => wrong.push(format!("sql/{file}, {error}")),
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut all: BTreeSet<&str> = IN.iter().chain(&NOT_IN).map(|(name, _)| *name).collect();
    all.insert("IN_FLIGHT_WITHOUT_WAITING");
    ensure!(used == all, "the statements use {used:?}, and these sets exist: {all:?}");
    Ok(())
}

/// The search finds every way to write a list, and a list that lacks a word is no set.
fn wrong_lists_of_statuses_are_found(_context: &Context) -> Result<()> {
    for wrong in [
        "t.status IN ('dispatched', 'running')",
        "t.status NOT IN ('completed', 'failed', 'cancelled', 'queued')",
        "status = ANY ('{queued,running}')",
        "--| AND t.status IN ('queued', 'running')",
        "t.status OPERATOR(pg_catalog.<>) ALL ('{completed,failed}'::pg_catalog.text[])",
        "t.status IN (\n    'queued',\n    'queued', 'dispatched'\n)",
    ] {
        let found = lists(wrong);
        ensure!(found.len() == 1 && set_of(&found[0]).is_err(), "{wrong} is not found");
    }
    for right in ["--| AND t.status IN ('dispatched', 'running')", "status IN (\n    'queued',\n    'dispatched'\n)"] {
        ensure!(lists(right).iter().all(|list| set_of(list).is_ok()), "{right} is a set");
    }
    ensure!(lists("-- status IN ('queued')").is_empty(), "a comment is no list");
    Ok(())
}
