//! The files of `sql/`: their style, the statements that bind them, and rules that are repeated in several files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::Suite;
use crate::context::Context;
use crate::tools::extras;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    sqlfluff_reports_nothing,
    every_statement_is_bound_once,
    every_table_of_statements_is_listed,
    repeated_rules_are_written_alike,
];

/// The words before the name of a table.
const BEFORE_TABLES: [&str; 4] = ["FROM", "JOIN", "INTO", "UPDATE"];

/// Rules that several statements repeat, because the planner would not inline them if they were functions. Each is a
/// pair: a text that only this rule contains, and the whole rule. Table names before columns, and the numbers of
/// parameters, are left out.
const RULES: [(&str, &str); 5] = [
    (
        "FROM autopilot_run WHERE id = autopilot_run_id",
        "COALESCE( (SELECT workspace_id FROM issue WHERE id = issue_id), \
         (SELECT workspace_id FROM chat_session WHERE id = chat_session_id), \
         ( SELECT workspace_id FROM autopilot WHERE id = (SELECT autopilot_id FROM autopilot_run WHERE id = autopilot_run_id) ), \
         (SELECT workspace_id FROM agent WHERE id = agent_id) )",
    ),
    (
        "max(o.custom_name)",
        "SELECT min(o.custom_name) FROM agent_runtime WHERE workspace_id = $ AND daemon_id = $ \
         HAVING bool_and(COALESCE(o.custom_name, '') <> '') AND min(o.custom_name) = max(o.custom_name)",
    ),
    ("is_called", "last_value - CASE WHEN is_called THEN 0 ELSE 1 END"),
    ("<> 'cancelled'", "(status <> 'cancelled' OR dispatched_at IS NOT NULL)"),
    (
        "COALESCE(o.failure_reason, '')",
        "status = 'failed' AND ((COALESCE(o.failure_reason, '') = ANY ($)) <> $ OR error ~* $",
    ),
];

/// sqlfluff with the rules of `.sqlfluff`. It exits with 1 if it has found a mistake, and with another status after an
/// error.
fn sqlfluff_reports_nothing(context: &Context) -> Result<()> {
    let requirements = context.project.harness().join("sqlfluff/requirements.txt");
    let python = extras::python(&context.project, "sqlfluff", &requirements)?;
    let lint = |path: &Path| {
        let program = python.with_file_name("sqlfluff");
        let processes = ["lint", "--processes", "2", "--disable-progress-bar", "--config"];
        Command::new(program).args(processes).arg(context.project.root.join(".sqlfluff")).arg(path).output()
    };
    let output = lint(&context.project.root.join("sql"))?;
    if !output.status.success() {
        bail!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    // The call above would also succeed with a linter that reads nothing.
    let wrong = context.project.work.join("output/wrong.sql");
    fs::create_dir_all(wrong.parent().unwrap_or(&wrong))?;
    fs::write(&wrong, "select a from b union select c from d\n")?;
    let code = lint(&wrong)?.status.code();
    ensure!(code == Some(1), "a file with findings ends the linter with {code:?}");
    Ok(())
}

/// A file that two statements bind is planned twice, and its two plans may differ.
fn every_statement_is_bound_once(context: &Context) -> Result<()> {
    let mut bound: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in context.project.sources("src")? {
        for part in text.split("sql!(\"").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            bound.entry(name.to_string()).or_default().push(file.clone());
        }
    }
    ensure!(bound.len() > 100, "only {} statements were found", bound.len());
    bound.retain(|_, places| places.len() > 1);
    ensure!(bound.is_empty(), "bound more than once: {bound:#?}");
    Ok(())
}

/// No call would notice row-level security on a table that is not in the list of the library.
fn every_table_of_statements_is_listed(context: &Context) -> Result<()> {
    let tables = &context.generations()?.named("397")?.catalogue.columns;
    let mut named = BTreeSet::new();
    for (_, text) in context.project.sources("sql")? {
        named.extend(named_in(&text).into_iter().filter(|name| tables.contains_key(*name)).map(str::to_string));
    }
    ensure!(named.len() > 5, "only {named:?} were found");
    let list = fs::read_to_string(context.project.root.join("src/install/tables.rs"))?;
    named.retain(|name| !list.contains(&format!("\"{name}\"")));
    ensure!(named.is_empty(), "src/install/tables.rs lacks {named:?}");
    Ok(())
}

/// Returns the names in a file that follow one of [`BEFORE_TABLES`].
fn named_in(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with("--") || line.starts_with("--|"));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let pairs = words.windows(2).filter(|pair| BEFORE_TABLES.contains(&pair[0].trim_start_matches('(')));
    pairs.map(|pair| pair[1].trim_matches(|c: char| !c.is_alphanumeric() && c != '_')).collect()
}

fn repeated_rules_are_written_alike(context: &Context) -> Result<()> {
    let mut statements = context.project.sources("sql")?;
    statements.iter_mut().for_each(|(_, text)| *text = without_aliases(text));
    for (part, rule) in RULES {
        let mut found = 0;
        for (file, text) in &statements {
            let (parts, rules) = (text.matches(part).count(), text.matches(rule).count());
            ensure!(file.starts_with("multica--") || parts == rules, "{file} has its own form of {rule}\nin {text}");
            found += rules;
        }
        ensure!(found > 1, "no two statements have {rule}");
    }
    Ok(())
}

/// A statement in one line, without comments, `AS alias`, the aliases before columns, and the numbers of parameters.
fn without_aliases(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "AS" {
            // Keeps the character that ends the expression: a comma, or the parenthesis after the alias.
            let alias = words.next().unwrap_or_default();
            let end = alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            if let Some(last) = kept.last_mut().filter(|_| !end.is_empty()) {
                *last = format!("{last}{end}");
            }
            continue;
        }
        kept.push(without_alias(word));
    }
    without_numbers(&kept.join(" "))
}

/// Leaves out the numbers of parameters.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split('$');
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |kept, part| kept + "$" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn without_alias(word: &str) -> String {
    let start = word.len() - word.trim_start_matches('(').len();
    let (open, rest) = word.split_at(start);
    match rest.split_once('.') {
        Some((alias, column)) if alias.chars().all(|c| c.is_ascii_lowercase()) => format!("{open}{column}"),
        _ => word.to_string(),
    }
}
