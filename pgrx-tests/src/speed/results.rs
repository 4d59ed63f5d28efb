//! What a cell has measured: printed as a table, and kept as a file from which charts and page are made again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::machine::Machine;

/// The settings of a server that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// Those of a freshly initialized server.
    Stock,
    /// Those that keep the disk out of the figures.
    Tuned,
}

impl Server {
    fn file(self, cell: &str) -> String {
        match self {
            Server::Stock => format!("{cell}.json"),
            Server::Tuned => format!("{cell}.tuned.json"),
        }
    }
}

/// The figures of one cell from one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Name of the cell: its subcommand and its file.
    pub cell: String,
    /// Settings of the server.
    pub server: Server,
    /// What was measured, and how.
    pub about: String,
    /// Where and when.
    pub machine: Machine,
    /// Names of the coordinates, in the order of the table.
    pub columns: Vec<String>,
    /// The figures, in the order in which they were taken.
    pub figures: Vec<Figure>,
}

/// One quantity at one place of the grid.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figure {
    /// The way that was measured.
    pub what: String,
    /// Coordinates: how many runtimes, connections and the like.
    pub at: BTreeMap<String, i64>,
    /// Unit of the quantity.
    pub unit: String,
    /// The quantity over all repetitions.
    pub spread: Spread,
    /// Its ratio to what stands beside it, where there is something to compare with.
    pub ratio: Option<Ratio>,
}

/// A figure against another one of the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ratio {
    /// The median divided by the other's.
    pub times: f64,
    /// The other.
    pub of: String,
}

/// Median, least and most of some repetitions.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
    /// How many there were.
    pub repetitions: usize,
}

impl Spread {
    /// Of at least one figure.
    pub fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        Spread {
            median: figures[figures.len() / 2],
            least: figures[0],
            most: figures[figures.len() - 1],
            repetitions: figures.len(),
        }
    }
}

/// The value at a share of sorted figures: 0.99 for the 99th percentile.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)]
}

impl Results {
    /// Nothing measured yet.
    pub fn new(cell: &str, server: Server, about: &str, machine: &Machine, columns: &[&str]) -> Results {
        Results {
            cell: cell.to_string(),
            server,
            about: about.to_string(),
            machine: machine.clone(),
            columns: columns.iter().map(ToString::to_string).collect(),
            figures: Vec::new(),
        }
    }

    /// Adds a figure; `at` in the order of the columns.
    pub fn add(&mut self, what: &str, at: &[i64], unit: &str, figures: Vec<f64>) -> f64 {
        let spread = Spread::of(figures);
        self.figures.push(Figure {
            what: what.to_string(),
            at: self.columns.iter().cloned().zip(at.iter().copied()).collect(),
            unit: unit.to_string(),
            spread,
            ratio: None,
        });
        spread.median
    }

    /// Adds to every figure of the unit at this place, the reference aside, its ratio to the reference.
    pub fn compare(&mut self, at: &[i64], unit: &str, reference: &str) {
        let place: BTreeMap<String, i64> = self.columns.iter().cloned().zip(at.iter().copied()).collect();
        let here = |figure: &Figure| figure.at == place && figure.unit == unit;
        let Some(against) = self
            .figures
            .iter()
            .find(|figure| here(figure) && figure.what == reference)
            .map(|figure| figure.spread.median)
        else {
            return;
        };
        for figure in &mut self.figures {
            if here(figure) && figure.what != reference {
                figure.ratio = Some(Ratio { times: figure.spread.median / against, of: reference.to_string() });
            }
        }
    }

    /// Adds to one figure its ratio to another one of the same unit, wherever the two stand.
    pub fn relate(&mut self, what: &str, reference: &str, unit: &str) {
        let find = |what: &str| {
            let is = |figure: &Figure| figure.what == what && figure.unit == unit;
            self.figures.iter().position(is)
        };
        if let (Some(at), Some(against)) = (find(what), find(reference)) {
            self.figures[at].ratio = Some(Ratio {
                times: self.figures[at].spread.median / self.figures[against].spread.median,
                of: reference.to_string(),
            });
        }
    }

    /// What was measured last at the settings of a freshly initialized server, or else at the tuned ones.
    pub fn read_any(folder: &Path, cell: &str) -> Result<Option<Results>> {
        let stock = Results::read(folder, cell, Server::Stock)?;
        Ok(match stock {
            Some(results) => Some(results),
            None => Results::read(folder, cell, Server::Tuned)?,
        })
    }

    /// Prints the table and writes the file.
    pub fn finish(&self, folder: &Path) -> Result<()> {
        self.print();
        fs::create_dir_all(folder)?;
        let file = folder.join(self.server.file(&self.cell));
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// What an earlier run has written.
    pub fn read(folder: &Path, cell: &str, server: Server) -> Result<Option<Results>> {
        let file = folder.join(server.file(cell));
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file)?;
        serde_json::from_str(&text).map(Some).with_context(|| format!("cannot understand {}", file.display()))
    }

    fn print(&self) {
        println!("\n{}: {}", self.cell, self.about);
        let mut rows = vec![self.columns.clone()];
        rows[0].extend(["way", "median", "", "least", "most", "n", "ratio"].map(String::from));
        for figure in &self.figures {
            let mut row: Vec<String> = self
                .columns
                .iter()
                .map(|column| figure.at.get(column).map_or_else(String::new, |at| grouped(*at)))
                .collect();
            let spread = &figure.spread;
            row.push(figure.what.clone());
            row.push(short(spread.median));
            row.push(figure.unit.clone());
            row.extend([short(spread.least), short(spread.most)]);
            row.push(spread.repetitions.to_string());
            row.push(
                figure
                    .ratio
                    .as_ref()
                    .map_or_else(String::new, |ratio| format!("{} × {}", short(ratio.times), ratio.of)),
            );
            rows.push(row);
        }
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
        let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
        let way = self.columns.len();
        for row in &rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(at, (text, width))| {
                    let gap = " ".repeat(width - text.chars().count());
                    let left = at == way || at == way + 2 || at == row.len() - 1;
                    if left { format!("{text}{gap}") } else { format!("{gap}{text}") }
                })
                .collect();
            println!("  {}", cells.join("  ").trim_end());
        }
    }
}

/// Three digits that count, as a person would write them.
pub fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1000.0 => grouped(figure.round() as i64),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// A whole number with its thousands apart.
pub fn grouped(number: i64) -> String {
    let digits = number.abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}
