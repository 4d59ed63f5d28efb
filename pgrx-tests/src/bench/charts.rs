//! The charts of the page, drawn from what the cells wrote.

use std::fs;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::results::{Figure, Results, folder, grouped};
use crate::project::Project;

/// One chart: which figures of a cell, over which coordinate.
struct Chart {
    file: &'static str,
    cell: &'static str,
    title: &'static str,
    unit: &'static str,
    over: &'static str,
    /// Coordinates that are held: the figures of these values alone.
    held: &'static [(&'static str, i64)],
    /// Both axes logarithmic, else only the coordinate's.
    log: bool,
}

const CHARTS: [Chart; 10] = [
    chart(
        "verdict-200",
        "verdict",
        "Verdict on 200 dead runtimes: milliseconds",
        "ms",
        "orphans",
        &[("runtimes", 200)],
        true,
    ),
    chart(
        "verdict-20000",
        "verdict",
        "Verdict on 20,000 dead runtimes: milliseconds",
        "ms",
        "orphans",
        &[("runtimes", 20_000)],
        true,
    ),
    chart(
        "idle",
        "idle",
        "Idle sweep with 100,000 runtimes online: milliseconds",
        "ms",
        "finished",
        &[("runtimes", 100_000)],
        false,
    ),
    chart(
        "heartbeat",
        "heartbeat",
        "Heartbeats a second",
        "beats/s",
        "runtimes",
        &[("old snapshot", 0)],
        true,
    ),
    chart(
        "cycle-single",
        "cycle",
        "Tasks a second, one by one",
        "tasks/s",
        "connections",
        &[("batch", 1), ("finished", 0)],
        false,
    ),
    chart(
        "cycle-batch",
        "cycle",
        "Tasks a second, in batches of 20",
        "tasks/s",
        "connections",
        &[("batch", 20), ("finished", 0)],
        false,
    ),
    chart(
        "cycle-history-single",
        "cycle",
        "Tasks a second past finished ones, one by one, 16 connections",
        "tasks/s",
        "finished",
        &[("batch", 1), ("connections", 16)],
        false,
    ),
    chart(
        "cycle-history-batch",
        "cycle",
        "Tasks a second past finished ones, batches of 20, 16 connections",
        "tasks/s",
        "finished",
        &[("batch", 20), ("connections", 16)],
        false,
    ),
    chart(
        "events-read",
        "events",
        "Events read a second",
        "events/s",
        "events a call",
        &[("connections", 1)],
        false,
    ),
    chart(
        "drain",
        "drain",
        "Draining a backlog",
        "tasks/s",
        "second",
        &[],
        false,
    ),
];

const fn chart(
    file: &'static str,
    cell: &'static str,
    title: &'static str,
    unit: &'static str,
    over: &'static str,
    held: &'static [(&'static str, i64)],
    log: bool,
) -> Chart {
    Chart {
        file,
        cell,
        title,
        unit,
        over,
        held,
        log,
    }
}

const SIZE: (u32, u32) = (860, 460);
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 90, 181),
    RGBColor(120, 120, 120),
    RGBColor(220, 50, 32),
    RGBColor(0, 135, 90),
    RGBColor(230, 140, 0),
    RGBColor(130, 60, 160),
    RGBColor(160, 100, 40),
    RGBColor(0, 170, 190),
];

/// Draws every chart whose cell has been measured.
pub fn draw(project: &Project) -> Result<()> {
    for chart in &CHARTS {
        let Some(results) = Results::read(project, chart.cell)? else {
            continue;
        };
        let lines = chart.lines(&results);
        if lines.iter().all(|(_, points)| points.len() < 2) {
            continue;
        }
        let mut svg = String::new();
        chart
            .draw(
                &SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(),
                &lines,
                &results,
            )
            .map_err(|error| anyhow!("cannot draw {}: {error}", chart.file))?;
        fs::write(folder(project).join(format!("{}.svg", chart.file)), svg)?;
    }
    Ok(())
}

type Line<'a> = (&'a str, Vec<(f64, &'a Figure)>);

impl Chart {
    /// The figures of each way, by the coordinate.
    fn lines<'a>(&self, results: &'a Results) -> Vec<Line<'a>> {
        let mut lines: Vec<Line<'a>> = Vec::new();
        for figure in &results.figures {
            let held = self
                .held
                .iter()
                .all(|(name, value)| figure.at.get(*name) == Some(value));
            if figure.unit != self.unit || !held {
                continue;
            }
            // A logarithm has no place for zero.
            let at = figure.at[self.over].max(1) as f64;
            match lines.iter_mut().find(|(what, _)| *what == figure.what) {
                Some((_, points)) => points.push((at, figure)),
                None => lines.push((&figure.what, vec![(at, figure)])),
            }
        }
        lines
    }

    fn draw(
        &self,
        area: &DrawingArea<SVGBackend, Shift>,
        lines: &[Line],
        results: &Results,
    ) -> Result<(), Box<dyn std::error::Error + '_>> {
        area.fill(&WHITE)?;
        area.draw(&Text::new(
            results.machine.line(),
            (10, SIZE.1 as i32 - 16),
            ("sans-serif", 11).into_font().color(&BLACK.mix(0.6)),
        ))?;
        let (area, _) = area.split_vertically(SIZE.1 - 22);
        let points = || lines.iter().flat_map(|(_, points)| points);
        let (least, most) = (
            points().map(|(at, _)| *at).fold(f64::MAX, f64::min),
            points().map(|(at, _)| *at).fold(f64::MIN, f64::max),
        );
        let top = points()
            .map(|(_, figure)| figure.spread.most)
            .fold(0.0, f64::max)
            * 1.15;
        let bottom = points()
            .map(|(_, figure)| figure.spread.least)
            .fold(f64::MAX, f64::min)
            * 0.7;
        let mut builder = ChartBuilder::on(&area);
        builder
            .caption(self.title, ("sans-serif", 18))
            .margin(8)
            .x_label_area_size(38)
            .y_label_area_size(80);
        let across = (least..most).log_scale();
        if self.log {
            let mut context = builder.build_cartesian_2d(across, (bottom..top).log_scale())?;
            plot!(self, context, lines);
        } else {
            let mut context = builder.build_cartesian_2d(across, 0.0..top)?;
            plot!(self, context, lines);
        }
        area.present()?;
        Ok(())
    }
}

/// The same for both kinds of axes, which are two types.
macro_rules! plot {
    ($chart:expr, $context:expr, $lines:expr) => {{
        let number = |at: &f64| grouped(at.round() as i64);
        $context
            .configure_mesh()
            .x_desc($chart.over)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .light_line_style(BLACK.mix(0.06))
            .bold_line_style(BLACK.mix(0.15))
            .draw()?;
        for ((what, points), colour) in $lines.iter().zip(COLOURS.iter().cycle()) {
            let width = if what.starts_with("multica") { 3 } else { 2 };
            let medians = points
                .iter()
                .map(|(at, figure)| (*at, figure.spread.median));
            $context
                .draw_series(LineSeries::new(medians.clone(), colour.stroke_width(width)))?
                .label(*what)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width))
                });
            $context.draw_series(medians.map(|at| Circle::new(at, 3, colour.filled())))?;
            $context.draw_series(points.iter().map(|(at, figure)| {
                let spread = [(*at, figure.spread.least), (*at, figure.spread.most)];
                PathElement::new(spread, colour.stroke_width(1))
            }))?;
        }
        $context
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .draw()?;
    }};
}
use plot;
