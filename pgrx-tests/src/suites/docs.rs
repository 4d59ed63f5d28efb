//! The pages of the documentation. Their SQL runs and prints the output that they show, their links have targets, the
//! tests and files that they name exist, and the table of settings is correct.

mod call_sites;

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
use crate::mutation_patch::Mutation;
use crate::project::MAJOR;
use crate::speed::page;
use crate::{pg_tests, regress};

/// SQL whose output can depend on the version of Postgres.
pub const ALL: &[(&str, Suite)] = suite![sql_on_pages_runs_as_shown];

/// Tests of text, and of values that the library reports, which are the same on every version.
pub const AT_HOME: &[(&str, Suite)] = suite![
    links_have_targets,
    every_only_selects_a_test,
    names_on_pages_exist,
    every_routine_is_on_a_page,
    figures_match_bench_results,
    call_sites::every_row_runs_as_shown,
    call_sites::overview_lists_every_row,
    settings_are_listed_with_their_defaults,
];

/// The pages whose SQL needs a database of the newest server.
const BESIDE_A_SERVER: [&str; 2] = ["adopting.md", "bridge.md"];

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
                (None, "sql noexec" | "mermaid" | call_sites::ROW) => Some(false),
                (None, other) => bail!("a block is marked {other:?}: sql, sql row, sql noexec or mermaid"),
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
        let is_beside_server = BESIDE_A_SERVER.iter().any(|known| page.ends_with(known));
        let database = if is_beside_server { newest_server(context)? } else { context.empty_database()? };
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

/// Returns a database of the newest generation of the server, with rows and without the extension.
fn newest_server(context: &Context) -> Result<Database<'_>> {
    let newest = context.generations()?.all().last().context("there are generations")?;
    context.generation_with_rows(&newest.name)
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
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\nafter this output:\n{}", error.trim(), last_lines(&printed, 12));
    Ok(printed)
}

/// Returns the last lines of a text.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
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

/// Tests that are in no suite: the lints, and the kind of the `#[pg_test]` functions.
const OTHER_TESTS: [&str; 4] = ["format", "clippy", "bindings/", "pg_test/"];

/// Returns the names of all tests of the home version.
fn tests(context: &Context) -> Result<Vec<String>> {
    let mut names: Vec<String> = regress::all(&context.project)?.into_iter().map(|(name, ..)| name).collect();
    names.extend(super::of(MAJOR).map(|(name, _)| name.to_string()));
    names.extend(OTHER_TESTS.map(str::to_string));
    names.extend(pg_tests::list(&context.project)?.into_iter().map(|name| format!("pg_test/{name}")));
    Ok(names)
}

/// What stands for any name on a page.
const PLACEHOLDERS: [&str; 4] = ["FILE", "FUNCTION", "NAME", "TEXT"];

/// A command on a page must not select nothing.
fn every_only_selects_a_test(context: &Context) -> Result<()> {
    let mut names = tests(context)?;
    names.extend(Mutation::list(&context.project)?.into_iter().map(|mutation| mutation.name));
    let mut found = 0;
    for page in pages(context)? {
        let text = fs::read_to_string(&page)?;
        for rest in text.split("--only ").skip(1) {
            let only = rest.split([' ', '\n', '`', ',', ';']).next().unwrap_or_default();
            ensure!(
                PLACEHOLDERS.contains(&only) || names.iter().any(|name| name.contains(only)),
                "{}: --only {only} selects no test and no patch",
                page.display()
            );
            found += 1;
        }
    }
    ensure!(found > 10, "only {found} commands were found");
    Ok(())
}

/// The folders whose files pages name.
const SOURCES: [&str; 5] = ["bench", "docs", "pgrx-tests", "sql", "src"];

/// A build makes this folder, so a checkout may lack it.
const BUILT: &str = "target/";

/// Every path, every name of a file or folder, and every name of a test between backquotes exists, and so does every
/// patch in a table of internals.
fn names_on_pages_exist(context: &Context) -> Result<()> {
    let root = &context.project.root;
    let tests = tests(context)?;
    let patches: HashSet<String> = Mutation::list(&context.project)?.into_iter().map(|it| it.name).collect();
    let mut paths = Vec::new();
    for folder in SOURCES {
        collect(root, &root.join(folder), &mut paths)?;
    }
    let mut wrong = Vec::new();
    let mut found = 0;
    for page in pages(context)? {
        let text = fs::read_to_string(&page)?;
        let folder = page.parent().unwrap_or(root);
        let names: Vec<&str> = quoted(&text).filter(|word| is_name(word, &tests)).collect();
        found += names.len();
        let missing = names.iter().filter(|name| !exists(name, &tests, &paths) && !folder.join(name).exists());
        wrong.extend(
            missing.chain(&patches_in_tables(&text, &patches)).map(|name| format!("{}: {name}", page.display())),
        );
    }
    ensure!(found > 200, "only {found} names were found");
    ensure!(wrong.is_empty(), "these names do not exist:\n{}", wrong.join("\n"));
    Ok(())
}

/// Adds the paths of a folder, of its files and of the folders in it, relative to the root.
fn collect(root: &Path, folder: &Path, paths: &mut Vec<String>) -> Result<()> {
    paths.push(folder.strip_prefix(root)?.display().to_string());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, paths)?;
        } else {
            paths.push(path.strip_prefix(root)?.display().to_string());
        }
    }
    Ok(())
}

/// Returns the texts between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a text between backquotes is the name of a file, a folder or a test, and no placeholder such as `golden/FILE`.
fn is_name(word: &str, tests: &[String]) -> bool {
    let is_word = word.chars().all(|it| it.is_ascii_alphanumeric() || "_-./*…".contains(it));
    let Some((first, _)) = word.split_once('/') else {
        return is_word && [".rs", ".sql", ".patch"].iter().any(|end| word.ends_with(end));
    };
    let is_topic = || tests.iter().any(|test| test.split('/').next() == Some(first));
    let is_placeholder = word.split(['/', '.']).any(|part| PLACEHOLDERS.contains(&part));
    let is_named = || SOURCES.contains(&first) || word.ends_with('/') || is_topic();
    is_word && !is_placeholder && word != BUILT && is_named()
}

/// Whether a test or path has this name. A path that begins with none of the folders above may lack its first folders.
/// `*` and `…` stand for any text.
fn exists(name: &str, tests: &[String], paths: &[String]) -> bool {
    let start = name.split(['*', '…']).next().unwrap_or_default();
    let is_cut = start != name;
    let is_test = |test: &String| test == name || (is_cut || name.ends_with('/')) && test.starts_with(start);
    let is_test = tests.iter().any(is_test);
    let is_whole = SOURCES.iter().any(|folder| name.starts_with(&format!("{folder}/")));
    let [name, start] =
        [name.trim_end_matches('/'), start].map(|it| if is_whole { it.into() } else { format!("/{it}") });
    let is_path = |path: &String| {
        if is_whole {
            return *path == name || is_cut && path.starts_with(&start);
        }
        format!("/{path}").ends_with(&name) || is_cut && path.contains(&start)
    };
    is_test || paths.iter().any(is_path)
}

/// Returns the words in the last column of tables of patches that are no patches.
fn patches_in_tables<'a>(text: &'a str, patches: &HashSet<String>) -> Vec<&'a str> {
    let mut wrong = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        let last = line.rsplit('|').nth(1).unwrap_or_default().trim();
        let is_header = last.starts_with("patch");
        is_inside = is_header || is_inside && line.starts_with('|');
        if is_header || !is_inside {
            continue;
        }
        wrong.extend(quoted(last).filter(|word| !patches.contains(*word)));
    }
    wrong
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
    // The clusters of tests have another value of this one.
    client.batch_execute("SELECT multica_version(); SET multica.hold_verdicts = on")?;
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
