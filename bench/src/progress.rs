//! What a person sees while a cell is measured.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How far a cell is.
pub struct Progress {
    bar: ProgressBar,
    cell: &'static str,
    terminal: bool,
}

impl Progress {
    /// A cell of that many steps.
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

    /// The next step begins.
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
