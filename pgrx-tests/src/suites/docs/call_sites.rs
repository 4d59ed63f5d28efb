//! The call sites of a Multica server, `docs/call_sites.md`. A *row* of the page is a heading with the SQL that replaces
//! the call site. The scripts in `fixtures/call_sites/` prepare what a row needs, and show what it must have done.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::{anchors, psql, shown};
use crate::context::Context;

/// What marks a block whose values are prepared by a script, because the page shows only the names of the values.
pub const ROW: &str = "sql row";

/// The page.
const PAGE: &str = "docs/call_sites.md";

/// Makes what all scripts use, before each of them.
const WORLD: &str = "world.sql";

/// What a line of a script begins with in place of the SQL of a row.
const PLACE: &str = "-- row: ";

/// What is printed before the output of a row.
const BEGIN: &str = "== row: ";

/// Every row runs in a database of the newest server with the SQL that the page has, and a script shows what it did.
pub fn every_row_runs_as_shown(context: &Context) -> Result<()> {
    let rows = rows(&fs::read_to_string(context.project.root.join(PAGE))?)?;
    let folder = context.fixtures().join("call_sites");
    let world = fs::read_to_string(folder.join(WORLD))?;
    let mut ran = HashSet::new();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.ends_with(WORLD) {
            continue;
        }
        let script = fs::read_to_string(&path)?;
        for line in script.lines() {
            let Some(name) = line.strip_prefix(PLACE) else { continue };
            ensure!(rows.contains_key(name), "{}: the page has no row {name:?}", path.display());
            ensure!(ran.insert(name.to_string()), "{}: row {name:?} runs twice", path.display());
        }
        if let Err(error) = run(context, &rows, &world, &script) {
            wrong.push(format!("{}: {error:#}", path.display()));
        }
    }
    wrong.extend(rows.keys().filter(|name| !ran.contains(*name)).map(|name| format!("no script runs row {name:?}")));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(ran.len() > 30, "only {} rows were found", ran.len());
    Ok(())
}

/// Returns the SQL of each row, by its heading.
fn rows(page: &str) -> Result<BTreeMap<String, String>> {
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    let mut heading = None;
    let mut is_inside = false;
    for line in page.lines() {
        if let Some(info) = line.strip_prefix("```") {
            is_inside = !is_inside && info == ROW;
        } else if is_inside {
            let heading: &str = heading.context("a row stands under no heading")?;
            let sql = rows.entry(heading.to_string()).or_default();
            sql.push_str(line);
            sql.push('\n');
        } else if line.starts_with('#') {
            heading = line.strip_prefix("### ");
        }
    }
    Ok(rows)
}

/// Runs a script, with the rows that it names, in a database of its own. What it shows after a row must be printed
/// after the row and before the next one.
fn run(context: &Context, rows: &BTreeMap<String, String>, world: &str, script: &str) -> Result<()> {
    let mut parts = script.split(PLACE);
    let before = parts.next().unwrap_or_default();
    let mut whole = format!("{world}\n{before}\n");
    let mut expected = Vec::new();
    for part in parts {
        let (name, after) = part.split_once('\n').unwrap_or((part, ""));
        let sql = rows.get(name).with_context(|| format!("no row {name:?}"))?;
        whole.push_str(&format!("\\echo {BEGIN}{name}\n{sql}\n{after}\n"));
        ensure!(!shown(after).is_empty(), "the script does not show what row {name:?} did");
        expected.push((name, format!("{sql}\n{after}")));
    }
    let newest = context.generations()?.all().last().context("there are generations")?;
    let database = context.installed_generation(&newest.name)?;
    let printed = psql(&database, &whole)?;
    let outputs = printed.split(BEGIN).skip(1);
    for ((name, text), output) in expected.iter().zip(outputs) {
        let mut found = output.lines().map(str::trim_end);
        for line in shown(text) {
            ensure!(found.any(|it| it == line), "row {name:?} does not print, or not in this place: {line}\n{output}");
        }
    }
    Ok(())
}

/// The table at the top of the page has a link to each row, so that nobody misses one.
pub fn overview_lists_every_row(context: &Context) -> Result<()> {
    let page = fs::read_to_string(context.project.root.join(PAGE))?;
    for name in rows(&page)?.keys() {
        let anchor = anchors(&format!("# {name}")).into_iter().next().unwrap_or_default();
        let link = format!("](#{anchor})");
        ensure!(
            page.lines().any(|line| line.starts_with('|') && line.contains(&link)),
            "no table of {PAGE} links to row {name:?}"
        );
    }
    Ok(())
}
