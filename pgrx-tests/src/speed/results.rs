//! The results of a cell. They are printed as a table, and kept in a file from which the charts and the page are made.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::machine::Machine;

/// The settings of the measured server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Server {
    /// The settings of a freshly initialized server.
    Stock,
    /// The settings that keep the disk out of the figures.
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
    /// The name of the cell, which is also the name of its subcommand and file.
    pub cell: String,
    /// Settings of the server.
    pub server: Server,
    /// What was measured, and how.
    pub about: String,
    /// The machine and the day.
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
    /// The coordinates: for example the number of runtimes or connections.
    pub at: BTreeMap<String, i64>,
    /// Unit of the quantity.
    pub unit: String,
    /// The quantity over all repetitions.
    pub spread: Spread,
    /// The ratio of this figure to the reference, if there is one.
    pub ratio: Option<Ratio>,
}

/// The ratio of a figure to another figure of the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ratio {
    /// The median divided by the median of the other figure.
    pub times: f64,
    /// The name of the other figure.
    pub of: String,
}

/// Median, minimum and maximum of several repetitions.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest value.
    pub least: f64,
    /// The largest value.
    pub most: f64,
    /// The number of repetitions.
    pub repetitions: usize,
}

impl Spread {
    /// Returns the spread of one or more values.
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

/// Returns the value at a share of sorted values: 0.99 is the 99th percentile.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)]
}

impl Results {
    /// Returns results without figures.
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

    /// Adds a figure; `at` has the coordinates in the order of the columns.
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

    /// Adds to every figure of this unit and place its ratio to the figure of the reference.
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

    /// Adds to one figure its ratio to another one of the same unit, at whatever places they are.
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

    /// Returns the latest results with the settings of a freshly initialized server, or else with the tuned settings.
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

    /// Returns the results of an earlier run.
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

/// Returns a number with three significant digits.
pub fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1000.0 => grouped(figure.round() as i64),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// Returns a whole number with commas between the thousands.
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
