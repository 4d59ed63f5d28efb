//! Draws the charts of docs/speed.md from the result files.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use multica_harness::speed::{Line, Results, VIEWS, View, grouped};
use plotters::coord::Shift;
use plotters::prelude::*;

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
pub fn draw(folder: &Path) -> Result<()> {
    for view in &VIEWS {
        let Some(results) = Results::read_any(folder, view.cell)? else {
            continue;
        };
        let lines = view.lines(&results);
        if lines.iter().all(|(_, points)| points.len() < 2) {
            continue;
        }
        let mut svg = String::new();
        draw_view(view, &SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), &lines, &results)
            .map_err(|error| anyhow!("cannot draw {}: {error}", view.file))?;
        fs::write(folder.join(format!("{}.svg", view.file)), svg)?;
    }
    Ok(())
}

/// Returns the position on a logarithmic axis. Zero is drawn at 1, because it has no logarithm.
fn place(at: i64) -> f64 {
    at.max(1) as f64
}

fn draw_view(
    view: &View,
    area: &DrawingArea<SVGBackend, Shift>,
    lines: &[Line],
    results: &Results,
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    area.draw(&Text::new(
        results.machine.line(),
        (10, SIZE.1 as i32 - 16),
        ("sans-serif", 11).into_font().color(&BLACK.mix(0.6)),
    ))?;
    let (area, _) = area.split_vertically(SIZE.1 - 22);
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (least, most) = (
        points().map(|(at, _)| place(*at)).fold(f64::MAX, f64::min),
        points().map(|(at, _)| place(*at)).fold(f64::MIN, f64::max),
    );
    let top = points().map(|(_, figure)| figure.spread.most).fold(0.0, f64::max) * 1.15;
    let bottom = points().map(|(_, figure)| figure.spread.least).fold(f64::MAX, f64::min) * 0.7;
    let mut builder = ChartBuilder::on(&area);
    builder.caption(view.title, ("sans-serif", 18)).margin(8).x_label_area_size(38).y_label_area_size(80);
    let across = (least..most).log_scale();
    if view.log {
        let mut context = builder.build_cartesian_2d(across, (bottom..top).log_scale())?;
        plot!(view, context, lines);
    } else {
        let mut context = builder.build_cartesian_2d(across, 0.0..top)?;
        plot!(view, context, lines);
    }
    area.present()?;
    Ok(())
}

/// A macro, because the charts with one and with two logarithmic axes have different types.
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
            let medians = points.iter().map(|(at, figure)| (place(*at), figure.spread.median));
            $context
                .draw_series(LineSeries::new(medians.clone(), colour.stroke_width(width)))?
                .label(*what)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(width)));
            $context.draw_series(medians.map(|at| Circle::new(at, 3, colour.filled())))?;
            $context.draw_series(points.iter().map(|(at, figure)| {
                let spread = [(place(*at), figure.spread.least), (place(*at), figure.spread.most)];
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
