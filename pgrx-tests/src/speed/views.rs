//! The views of the page: each is a chart and a table of the same figures.

use super::results::{Figure, Results};
use super::ways::cycle::P99;

/// One chart and table: the figures of a cell over one coordinate.
pub struct View {
    /// The name of the chart's file and of the mark on the page.
    pub file: &'static str,
    /// The cell.
    pub cell: &'static str,
    /// The title of the chart.
    pub title: &'static str,
    /// Unit of its figures.
    pub unit: &'static str,
    /// The coordinate.
    pub over: &'static str,
    /// Coordinates with a fixed value: figures with other values are left out.
    pub held: &'static [(&'static str, i64)],
    /// Whether both axes are logarithmic; otherwise only the axis of the coordinate is.
    pub log: bool,
}

/// The views of the page.
pub const VIEWS: [View; 13] = [
    view(
        "verdict-200",
        "verdict",
        "Verdict on 200 dead runtimes: milliseconds",
        "ms",
        "orphans",
        &[("runtimes", 200)],
        true,
    ),
    view(
        "verdict-20000",
        "verdict",
        "Verdict on 20,000 dead runtimes: milliseconds",
        "ms",
        "orphans",
        &[("runtimes", 20_000)],
        true,
    ),
    view(
        "idle",
        "idle",
        "Idle sweep with 100,000 runtimes online: milliseconds",
        "ms",
        "finished",
        &[("runtimes", 100_000)],
        false,
    ),
    view("heartbeat", "heartbeat", "Heartbeats a second", "beats/s", "runtimes", &[("old snapshot", 0)], true),
    view(
        "heartbeat-hot",
        "heartbeat",
        "Heartbeats: heap-only updates, per cent",
        "% heap-only",
        "runtimes",
        &[("old snapshot", 0)],
        false,
    ),
    view(
        "heartbeat-wal",
        "heartbeat",
        "Heartbeats: bytes of log a beat",
        "bytes of log a beat",
        "runtimes",
        &[("old snapshot", 0)],
        false,
    ),
    view(
        "cycle-single",
        "cycle",
        "Tasks a second, one by one",
        "tasks/s",
        "connections",
        &[("batch", 1), ("finished", 0)],
        false,
    ),
    view(
        "cycle-batch",
        "cycle",
        "Tasks a second, in batches of 10",
        "tasks/s",
        "connections",
        &[("batch", 10), ("finished", 0)],
        false,
    ),
    view(
        "cycle-history-single",
        "cycle",
        "Tasks a second past finished ones, one by one, 16 connections",
        "tasks/s",
        "finished",
        &[("batch", 1), ("connections", 16)],
        false,
    ),
    view(
        "cycle-history-batch",
        "cycle",
        "Tasks a second past finished ones, batches of 10, 16 connections",
        "tasks/s",
        "finished",
        &[("batch", 10), ("connections", 16)],
        false,
    ),
    view(
        "cycle-p99",
        "cycle",
        "Milliseconds of a claim, 99th percentile, one by one",
        P99,
        "connections",
        &[("batch", 1), ("finished", 0)],
        true,
    ),
    view(
        "cycle-history-p99",
        "cycle",
        "Milliseconds of a claim past finished tasks, 99th percentile, one by one, 16 connections",
        P99,
        "finished",
        &[("batch", 1), ("connections", 16)],
        true,
    ),
    view("events-read", "events", "Events read a second", "events/s", "events a call", &[("connections", 1)], false),
];

const fn view(
    file: &'static str,
    cell: &'static str,
    title: &'static str,
    unit: &'static str,
    over: &'static str,
    held: &'static [(&'static str, i64)],
    log: bool,
) -> View {
    View { file, cell, title, unit, over, held, log }
}

/// A way, and its figures by the coordinate.
pub type Line<'a> = (&'a str, Vec<(i64, &'a Figure)>);

impl View {
    /// Returns the figures of each way, by the coordinate.
    pub fn lines<'a>(&self, results: &'a Results) -> Vec<Line<'a>> {
        let mut lines: Vec<Line<'a>> = Vec::new();
        for figure in &results.figures {
            let held = self.held.iter().all(|(name, value)| figure.at.get(*name) == Some(value));
            if figure.unit != self.unit || !held {
                continue;
            }
            let at = figure.at[self.over];
            match lines.iter_mut().find(|(what, _)| *what == figure.what) {
                Some((_, points)) => points.push((at, figure)),
                None => lines.push((&figure.what, vec![(at, figure)])),
            }
        }
        lines
    }
}
