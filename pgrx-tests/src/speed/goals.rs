//! The goals for the speed, and whether the figures reach them.

use std::path::Path;

use anyhow::Result;

use super::results::{Figure, Results, Server, short};
use super::ways::{cycle, detection, fire, heartbeat, idle, idle_claim, incarnation, verdict, waiting};

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

struct Goal {
    what: &'static str,
    bound: Bound,
    /// The cell that the goal is about.
    cell: &'static str,
    /// Returns the quantity at every place where it was measured.
    of: fn(&Results) -> Vec<f64>,
}

const GOALS: [Goal; 22] = [
    goal("claim, heartbeat, enqueue, sweep, status: time, × that with jit = off", Bound::AtMost(1.3), "jit", |all| {
        all.figures.iter().filter_map(|figure| Some(figure.ratio.as_ref()?.times)).collect()
    }),
    goal("verdict: time, × set-based SQL by hand", Bound::AtMost(1.2), "verdict", |all| {
        ratios(all, "ms", verdict::OURS, |what| what == verdict::FLOOR)
    }),
    goal("verdict in a server's tables: time, × set-based SQL by hand", Bound::AtMost(1.2), "verdict-server", |all| {
        ratios(all, "ms", verdict::OURS, |what| what == verdict::FLOOR)
    }),
    goal("verdict: statement after statement, × its time", Bound::AtLeast(6.0), "verdict", |all| {
        inverse(ratios(all, "ms", verdict::OURS, |what| what == verdict::SERVER))
    }),
    goal("verdict: statement after statement, 0.5 ms away, × its time", Bound::AtLeast(30.0), "verdict", |all| {
        inverse(ratios(all, "ms", verdict::OURS, |what| what == verdict::DISTANT))
    }),
    goal(
        "idle sweep, 100,000 runtimes: time at most finished tasks, × that at 100,000",
        Bound::AtMost(1.2),
        "idle",
        |all| along(all, "ms", idle::OURS, ("runtimes", 100_000), "finished", 100_000),
    ),
    goal(
        "idle sweep in a server's tables, 100,000 runtimes: time at most finished tasks, × that at 100,000",
        Bound::AtMost(1.2),
        "idle-server",
        |all| along(all, "ms", idle::OURS, ("runtimes", 100_000), "finished", 100_000),
    ),
    goal("idle sweep, 100,000 runtimes: milliseconds", Bound::AtMost(50.0), "idle", |all| {
        medians(all, "ms", |figure| figure.at["runtimes"] == 100_000)
    }),
    goal("heartbeat: rate, × the prepared UPDATE … RETURNING *", Bound::AtLeast(0.9), "heartbeat", |all| {
        ratios(all, "beats/s", heartbeat::OURS, |what| what == heartbeat::RETURNING)
    }),
    goal("heartbeat: heap-only updates, per cent", Bound::AtLeast(95.0), "heartbeat", |all| {
        medians(all, "% heap-only", |figure| figure.what == heartbeat::OURS)
    }),
    goal("beats in batches of 100: rate, × single", Bound::AtLeast(10.0), "heartbeat", |all| {
        ratios(all, "beats/s", heartbeat::MANY, |what| what == heartbeat::OURS)
    }),
    goal("heartbeat with an incarnation: time, × that without", Bound::AtMost(1.03), "incarnation", |all| {
        given_ratios(all, incarnation::OURS, |_| true)
    }),
    goal(
        "claim beside 100,000 queued and 100,000 deferred tasks of others: 99th percentile, × that without them",
        Bound::AtMost(1.2),
        "waiting",
        |all| given_ratios(all, waiting::OURS, |unit| unit == waiting::P99),
    ),
    goal("claim without limits: time, × that without their table", Bound::AtMost(1.03), "waiting", |all| {
        given_ratios(all, waiting::OURS, |unit| unit == waiting::PROCESSOR)
    }),
    goal("claim cycle, one by one: rate, × the fastest peer's", Bound::AtLeast(1.0), "cycle", |all| {
        ratios(&of_batch(all, true), "tasks/s", cycle::OURS, |what| !cycle::is_own(what))
    }),
    goal("claim cycle, in batches: rate, × the fastest peer's", Bound::AtLeast(1.0), "cycle", |all| {
        ratios(&of_batch(all, false), "tasks/s", cycle::OURS, |what| !cycle::is_own(what))
    }),
    goal("claim cycle, one by one: rate, × the bare table's", Bound::AtLeast(0.7), "cycle", |all| {
        ratios(&of_batch(all, true), "tasks/s", cycle::OURS, |what| what == cycle::FLOOR)
    }),
    goal("claim cycle, in batches: rate, × the bare table's", Bound::AtLeast(0.7), "cycle", |all| {
        ratios(&of_batch(all, false), "tasks/s", cycle::OURS, |what| what == cycle::FLOOR)
    }),
    goal("claim cycle: rate past finished tasks, × that without any", Bound::AtLeast(0.8), "cycle", |all| {
        [1, cycle::BATCH]
            .iter()
            .flat_map(|batch| along(all, "tasks/s", cycle::OURS, ("batch", *batch), "finished", 0))
            .collect()
    }),
    goal("idle claim: rate, × its own lookup as a prepared statement", Bound::AtLeast(0.5), "idle-claim", |all| {
        ratios(all, "calls/s", idle_claim::OURS, |what| what == idle_claim::LOOKUP)
    }),
    goal("claim beside a sweep: 99th percentile, × that with nothing to sweep", Bound::AtMost(2.0), "fire", |all| {
        let claims = |figure: &&Figure| figure.what == fire::CLAIM_BUSY && figure.unit == fire::P99;
        all.figures.iter().filter(claims).filter_map(|figure| Some(figure.ratio.as_ref()?.times)).collect()
    }),
    goal(
        "detection: slowest retry after the end of stale_after, milliseconds",
        Bound::AtMost(1000.0),
        "detection",
        |all| {
            let late = |figure: &&Figure| figure.what == detection::LATE;
            all.figures.iter().filter(late).map(|figure| figure.spread.most).collect()
        },
    ),
];

const fn goal(what: &'static str, bound: Bound, cell: &'static str, of: fn(&Results) -> Vec<f64>) -> Goal {
    Goal { what, bound, cell, of }
}

/// Returns a table of all goals: the bound, the worst and the best figure, and whether the worst one reaches the bound.
pub fn table(folder: &Path) -> Result<String> {
    let mut text =
        "| goal | bound | worst | best | places | server | reached |\n|---|---:|---:|---:|---:|---|---|\n".to_string();
    for goal in &GOALS {
        text += &match Results::read_any(folder, goal.cell)? {
            Some(results) => goal.row(&(goal.of)(&results), results.server),
            None => goal.row(&[], Server::Stock),
        };
    }
    Ok(text)
}

impl Goal {
    fn row(&self, figures: &[f64], server: Server) -> String {
        let least = figures.iter().copied().fold(f64::MAX, f64::min);
        let most = figures.iter().copied().fold(f64::MIN, f64::max);
        let (bound, worst, best, reached) = match self.bound {
            Bound::AtLeast(bound) => (format!("≥ {}", short(bound)), least, most, least >= bound),
            Bound::AtMost(bound) => (format!("≤ {}", short(bound)), most, least, most <= bound),
        };
        let what = self.what;
        if figures.is_empty() {
            return format!("| {what} | {bound} | | | 0 | | not measured |\n");
        }
        let server = match server {
            Server::Stock => "stock",
            Server::Tuned => "tuned",
        };
        let reached = if reached { "yes" } else { "**no**" };
        format!(
            "| {what} | {bound} | {} | {} | {} | {server} | {reached} |\n",
            short(worst),
            short(best),
            figures.len()
        )
    }
}

/// Returns the median of one way divided by the largest median of the others, at every place where both were measured.
fn ratios(all: &Results, unit: &str, ours: &str, others: impl Fn(&str) -> bool) -> Vec<f64> {
    let of_unit = || all.figures.iter().filter(|figure| figure.unit == unit);
    of_unit()
        .filter(|figure| figure.what == ours)
        .filter_map(|figure| {
            of_unit()
                .filter(|other| other.at == figure.at && others(&other.what))
                .map(|other| other.spread.median)
                .reduce(f64::max)
                .map(|other| figure.spread.median / other)
        })
        .collect()
}

/// Returns the ratios that the run itself has computed for one way.
fn given_ratios(all: &Results, what: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<f64> {
    let figures = all.figures.iter().filter(|figure| figure.what == what && is_wanted(&figure.unit));
    figures.filter_map(|figure| Some(figure.ratio.as_ref()?.times)).collect()
}

fn inverse(ratios: Vec<f64>) -> Vec<f64> {
    ratios.into_iter().map(f64::recip).collect()
}

fn medians(all: &Results, unit: &str, wanted: impl Fn(&Figure) -> bool) -> Vec<f64> {
    let figures = all.figures.iter().filter(|figure| figure.unit == unit);
    figures.filter(|figure| wanted(figure)).map(|figure| figure.spread.median).collect()
}

/// Returns the medians of a way at larger values of a coordinate, divided by the median at the value `from`, with all
/// other coordinates equal.
fn along(all: &Results, unit: &str, what: &str, held: (&str, i64), over: &str, from: i64) -> Vec<f64> {
    let ours: Vec<&Figure> = all
        .figures
        .iter()
        .filter(|figure| figure.unit == unit && figure.what == what && figure.at[held.0] == held.1)
        .collect();
    let first = |figure: &Figure| {
        let mut at = figure.at.clone();
        at.insert(over.to_string(), from);
        ours.iter().find(|other| other.at == at).map(|other| other.spread.median)
    };
    ours.iter()
        .filter(|figure| figure.at[over] > from)
        .filter_map(|figure| Some(figure.spread.median / first(figure)?))
        .collect()
}

/// Returns the results of the claim cycle one by one, or in batches.
fn of_batch(all: &Results, single: bool) -> Results {
    let mut part = all.clone();
    part.figures.retain(|figure| (figure.at["batch"] == 1) == single);
    part
}
