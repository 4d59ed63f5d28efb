//! Which faults were injected how often, and what the clients have seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::plan::Fault;
use crate::storm::{Storm, Tally};

/// The numbers of one chaos.
pub struct Report {
    seed: u64,
    began: Instant,
    injected: BTreeMap<Fault, usize>,
    not_possible: BTreeMap<Fault, usize>,
    acknowledged: usize,
    checks: usize,
    tally: Tally,
}

impl Report {
    /// An empty report.
    pub fn new(seed: u64) -> Report {
        Report {
            seed,
            began: Instant::now(),
            injected: BTreeMap::new(),
            not_possible: BTreeMap::new(),
            acknowledged: 0,
            checks: 0,
            tally: Tally::default(),
        }
    }

    /// Counts a fault that was injected (`done`), or that was not possible.
    pub fn count(&mut self, fault: Fault, done: bool) {
        let counts = if done { &mut self.injected } else { &mut self.not_possible };
        *counts.entry(fault).or_default() += 1;
    }

    /// Counts one pass of all checks.
    pub fn checked(&mut self) {
        self.checks += 1;
    }

    /// Adds what the clients of a storm have seen.
    pub fn add(&mut self, storm: &Storm) {
        self.acknowledged += storm.ledger().len();
        for (sum, more) in self.tally.all().into_iter().zip(storm.tally.all()) {
            sum.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// How often this fault was injected.
    pub fn times(&self, fault: Fault) -> usize {
        self.injected.get(&fault).copied().unwrap_or_default()
    }

    /// What the clients have seen.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let mut text = format!("Chaos of seed {}, {:.0} s\n\nFaults\n", self.seed, self.elapsed().as_secs_f64());
        for (fault, times) in &self.injected {
            text += &format!("{times:>9}  {}\n", name(*fault));
        }
        for (fault, times) in &self.not_possible {
            text += &format!("{times:>9}  left out, not possible here: {}\n", name(*fault));
        }
        text += "\nSeen by the clients\n";
        let tally = &self.tally;
        for (count, what) in [
            (figure(&tally.calls), "calls"),
            (figure(&tally.refused), "refused because of the state of their rows"),
            (figure(&tally.lost), "database sessions lost"),
            (figure(&tally.timed_out), "lock timeouts"),
            (figure(&tally.disk_full), "calls that failed because the disk was full"),
            (self.acknowledged as u64, "commits acknowledged: tasks, ends of tasks, events taken"),
        ] {
            text += &format!("{count:>9}  {what}\n");
        }
        text + &format!("\nChecked {} times: invariants, acknowledged commits, the rows of the standby.\n", self.checks)
    }
}

fn name(fault: Fault) -> String {
    match fault {
        Fault::Failover { rewind: true, .. } => format!("{}, pg_rewind", fault.name()),
        Fault::Failover { rewind: false, .. } => format!("{}, new base backup", fault.name()),
        _ => fault.name().to_string(),
    }
}
