//! Fills docs/speed.md: the text between two marks is generated from the results, and is never edited by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::goals;
use super::results::{Figure, Results, Server, grouped, short};
use super::views::{VIEWS, View};
use crate::project::Project;

const END: &str = "<!-- end -->";

/// Fills the page from the results in the folder, and writes it to a file with the name of the folder and `.md`.
pub fn fill(project: &Project, folder: &Path) -> Result<()> {
    fs::write(folder.with_extension("md"), filled(&read(project)?, folder)?)?;
    Ok(())
}

/// Fails if the page differs from its results.
pub fn check(project: &Project) -> Result<()> {
    let page = read(project)?;
    ensure!(
        page == filled(&page, &published(project))?,
        "docs/speed.md is not what its results say: cargo bench-multica page --publish"
    );
    Ok(())
}

/// Returns the folder of the published results.
pub fn published(project: &Project) -> PathBuf {
    project.root.join("docs/speed")
}

fn read(project: &Project) -> Result<String> {
    let file = project.root.join("docs/speed.md");
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Returns the page with the figures of the folder between its marks.
fn filled(page: &str, folder: &Path) -> Result<String> {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        writeln!(text, "{line}")?;
        let mark = line.strip_prefix("<!-- figures: ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(name) = mark else { continue };
        if !lines.any(|line| line == END) {
            bail!("the figures of {name} have no end on the page");
        }
        writeln!(text, "\n{}\n{END}", figures(name, folder)?)?;
    }
    Ok(text)
}

/// Returns the text between two marks: all goals, the machine, a view, or all results of a cell.
fn figures(name: &str, folder: &Path) -> Result<String> {
    if name == "goals" {
        return goals::table(folder);
    }
    if let Some(cell) = name.strip_prefix("machine ") {
        return both(folder, cell, machine);
    }
    if let Some(cell) = name.strip_prefix("all of ") {
        return both(folder, cell, all);
    }
    let view = VIEWS
        .iter()
        .find(|view| view.file == name)
        .with_context(|| format!("the page asks for {name}, which is no view"))?;
    let chart = format!("{}.svg", view.file);
    let chart =
        if folder.join(&chart).exists() { format!("![{}](speed/{chart})\n\n", view.title) } else { String::new() };
    Ok(chart + &both(folder, view.cell, |results| shown(view, results))?)
}

/// Returns the results with the settings of a freshly initialized server, and below them those with the tuned settings.
fn both(folder: &Path, cell: &str, text: impl Fn(&Results) -> String) -> Result<String> {
    let stock = Results::read(folder, cell, Server::Stock)?;
    let tuned = Results::read(folder, cell, Server::Tuned)?;
    let stock = stock.map_or_else(
        || "Not measured yet at the settings of a freshly initialized server.\n".to_string(),
        |results| text(&results),
    );
    Ok(match tuned {
        Some(tuned) => format!("{stock}\n*At tuned settings:*\n\n{}", text(&tuned)),
        None => stock,
    })
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let settings: Vec<String> = machine.settings.iter().map(|(name, value)| format!("`{name} = {value}`")).collect();
    format!("{}. Settings: {}.\n", machine.line(), settings.join(", "))
}

/// Returns the table of a view.
fn shown(view: &View, results: &Results) -> String {
    let mut text = String::new();
    let lines = view.lines(results);
    let mut places: Vec<i64> = lines.iter().flat_map(|(_, points)| points.iter().map(|(at, _)| *at)).collect();
    places.sort_unstable();
    places.dedup();
    let heads: Vec<String> = places.iter().map(|at| format!("{} {}", grouped(*at), view.over)).collect();
    text += &format!("| {} | {} |\n", view.unit, heads.join(" | "));
    text += &format!("|---|{}\n", "---:|".repeat(places.len()));
    for (what, points) in &lines {
        let cells: Vec<String> = places
            .iter()
            .map(|place| {
                let figure = points.iter().find(|(at, _)| at == place);
                figure.map_or_else(String::new, |(_, figure)| cell(figure))
            })
            .collect();
        text += &format!("| {what} | {} |\n", cells.join(" | "));
    }
    text
}

/// Returns the median, the spread, and the ratio if there is one.
fn cell(figure: &Figure) -> String {
    let spread = &figure.spread;
    let mut text = short(spread.median);
    if spread.repetitions > 1 {
        text += &format!(" ({}–{})", short(spread.least), short(spread.most));
    }
    if let Some(ratio) = &figure.ratio {
        text += &format!("<br>{} × {}", short(ratio.times), ratio.of);
    }
    text
}

/// Returns a table of all figures of a cell, one per row.
fn all(results: &Results) -> String {
    let mut text = format!(
        "| {} | | median (least–most) | unit | n |\n|{}---|---:|---|---:|\n",
        results.columns.join(" | "),
        "---:|".repeat(results.columns.len())
    );
    for figure in &results.figures {
        let at: Vec<String> = results
            .columns
            .iter()
            .map(|column| figure.at.get(column).map_or_else(String::new, |at| grouped(*at)))
            .collect();
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            at.join(" | "),
            figure.what,
            cell(figure),
            figure.unit,
            figure.spread.repetitions
        );
    }
    text
}
