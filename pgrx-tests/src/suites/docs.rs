//! The pages of the documentation. Their SQL runs and prints the output that they show, their links have targets, and
//! the table of settings is correct.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};

use super::Suite;
use super::comments::members;
use crate::context::Context;
use crate::database::Database;
use crate::speed::page;

/// SQL whose output can depend on the version of Postgres.
pub const ALL: &[(&str, Suite)] = suite![sql_on_pages_runs_as_shown];

/// Tests of text, and of values that the library reports, which are the same on every version.
pub const AT_HOME: &[(&str, Suite)] = suite![
    links_have_targets,
    every_routine_is_on_a_page,
    figures_match_bench_results,
    settings_are_listed_with_their_defaults,
];

/// The page whose SQL needs a database of the server.
const ADOPTING: &str = "adopting.md";

/// The folders that have pages.
const FOLDERS: [&str; 5] = ["", "bench", "docs", "docs/internals", "pgrx-tests"];

/// Returns all pages of the folders above, sorted.
fn pages(context: &Context) -> Result<Vec<PathBuf>> {
    let root = &context.project.root;
    let mut pages = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder))? {
            pages.push(entry?.path());
        }
    }
    pages.retain(|page| page.extension().is_some_and(|kind| kind == "md"));
    pages.sort();
    Ok(pages)
}

/// Returns the SQL of a page as a script. Lines that are not run are blank, so that line numbers match the page.
/// Returns None if the page has no SQL to run.
fn script(page: &str) -> Result<Option<String>> {
    let mut script = String::new();
    let mut fence = None;
    let mut found = false;
    for line in page.lines() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            fence = match (fence, info) {
                (Some(_), _) => None,
                (None, "sql") => Some(true),
                (None, "sql noexec" | "mermaid") => Some(false),
                (None, other) => bail!("a block is marked {other:?}: sql, sql noexec or mermaid"),
            };
        } else if fence == Some(true) {
            script.push_str(line);
            found = true;
        }
        script.push('\n');
    }
    ensure!(fence.is_none(), "a block is not closed");
    Ok(found.then_some(script))
}

/// Returns the SQL blocks under one heading of a page in docs.
pub fn blocks(context: &Context, page: &str, heading: &str) -> Result<Vec<String>> {
    let page = context.project.root.join("docs").join(page);
    let text = fs::read_to_string(&page)?;
    let (_, rest) = text
        .split_once(&format!("\n## {heading}\n"))
        .with_context(|| format!("{} has no heading {heading:?}", page.display()))?;
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let blocks = section.split("```sql\n").skip(1);
    Ok(blocks.filter_map(|block| block.split("```").next()).map(str::to_string).collect())
}

/// Returns the lines of output that a page shows: blocks of comments that contain a line of dashes.
fn shown(script: &str) -> Vec<&str> {
    let lines: Vec<&str> = script.lines().collect();
    let blocks = lines.chunk_by(|one, next| one.starts_with("-- ") == next.starts_with("-- "));
    blocks
        .filter_map(|block| {
            let comments = block.iter().map(|line| line.strip_prefix("-- "));
            comments.collect::<Option<Vec<&str>>>()
        })
        .filter(|block| block.iter().any(|line| is_rule(line)))
        .flatten()
        .map(str::trim_end)
        .collect()
}

/// Whether psql prints this line between the names of columns and the rows.
fn is_rule(line: &str) -> bool {
    line.starts_with("---") && line.chars().all(|it| "-+".contains(it))
}

fn sql_on_pages_runs_as_shown(context: &Context) -> Result<()> {
    let mut ran = 0;
    for page in pages(context)? {
        let name = page.display();
        let text = fs::read_to_string(&page)?;
        let Some(script) = script(&text).with_context(|| format!("{name}"))? else {
            continue;
        };
        let database = context.empty_database()?;
        if page.ends_with(ADOPTING) {
            database.fixture("server_055")?;
        }
        let printed = psql(&database, &script).with_context(|| format!("{name}"))?;
        for line in shown(&script) {
            ensure!(
                printed.lines().any(|found| found.trim_end() == line),
                "{name} shows a line that is not printed: {line}\n{printed}"
            );
        }
        ran += 1;
    }
    ensure!(ran > 1, "only {ran} pages have SQL to run");
    Ok(())
}

/// Runs a script with psql and returns its output.
fn psql(database: &Database, script: &str) -> Result<String> {
    let mut command = database.cluster().tool("psql");
    command
        .args(["-X", "-v", "ON_ERROR_STOP=1", "-f", "-"])
        .arg(&database.name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run psql")?;
    child.stdin.take().context("psql takes no script")?.write_all(script.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Links point to existing files, and to existing headings in them.
fn links_have_targets(context: &Context) -> Result<()> {
    for page in pages(context)? {
        let text = fs::read_to_string(&page)?;
        let folder = page.parent().unwrap_or(Path::new("/"));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { folder.join(file) };
            let exists =
                target.exists() && (heading.is_empty() || anchors(&fs::read_to_string(&target)?).contains(heading));
            ensure!(exists, "{} links to {link}, which does not exist", page.display());
        }
    }
    Ok(())
}

/// Returns the anchors of a page's headings.
fn anchors(page: &str) -> HashSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

fn every_routine_is_on_a_page(context: &Context) -> Result<()> {
    let mut words = HashSet::new();
    for page in pages(context)? {
        let text = fs::read_to_string(&page)?;
        let names = text.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
        words.extend(names.map(str::to_string));
    }
    let database = context.fresh_database()?;
    let calls = members(&mut database.connect()?)?;
    let missing: Vec<&str> = calls
        .iter()
        .filter(|member| member.is_routine && !words.contains(&member.name))
        .map(|member| member.name.as_str())
        .collect();
    ensure!(missing.is_empty(), "on no page: {missing:?}");
    Ok(())
}

/// Figures on pages come from the results of the bench, and are not typed by hand.
fn figures_match_bench_results(context: &Context) -> Result<()> {
    page::check(&context.project)
}

fn settings_are_listed_with_their_defaults(context: &Context) -> Result<()> {
    let page = fs::read_to_string(context.project.root.join("docs/settings.md"))?;
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT multica_version()")?;
    let names: Vec<String> = client
        .query("SELECT name FROM pg_settings WHERE name LIKE 'multica.%' ORDER BY name", &[])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    ensure!(names.len() > 10, "the library defines its settings: {names:?}");
    for name in &names {
        let value: String = client.query_one(&format!("SHOW {name}"), &[])?.get(0);
        let row = format!("| `{name}` | `{value}` |");
        ensure!(page.contains(&row), "docs/settings.md lacks a line that begins with {row}");
    }
    let listed = page.matches("| `multica.").count();
    ensure!(listed == names.len(), "docs/settings.md lists {listed} settings of {}", names.len());
    Ok(())
}
