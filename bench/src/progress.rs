//! Shows the progress of a cell while it is measured.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of a cell.
pub struct Progress {
    bar: ProgressBar,
    cell: &'static str,
    terminal: bool,
}

impl Progress {
    /// Starts a cell with this number of steps.
    pub fn new(cell: &'static str, steps: usize) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::new(steps as u64) } else { ProgressBar::hidden() };
        bar.set_length(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {bar:30} {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(cell);
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress { bar, cell, terminal }
    }

    /// Begins the next step.
    pub fn step(&self, what: impl Display) {
        self.bar.inc(1);
        self.bar.set_message(what.to_string());
        if !self.terminal {
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("{} {at}/{of}: {what}", self.cell);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
