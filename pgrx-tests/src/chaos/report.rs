//! What was done, how often, and what was found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::plan::Blow;
use crate::storm::{Storm, Tally};

/// The figures of one run.
pub struct Report {
    seed: u64,
    began: Instant,
    blows: BTreeMap<Blow, usize>,
    not_possible: BTreeMap<Blow, usize>,
    kept_promises: usize,
    looks: usize,
    tally: Tally,
}

impl Report {
    /// Nothing has happened yet.
    pub fn new(seed: u64) -> Report {
        Report {
            seed,
            began: Instant::now(),
            blows: BTreeMap::new(),
            not_possible: BTreeMap::new(),
            kept_promises: 0,
            looks: 0,
            tally: Tally::default(),
        }
    }

    /// Counts a blow, or that it could not be dealt here.
    pub fn count(&mut self, blow: Blow, done: bool) {
        let counts = if done { &mut self.blows } else { &mut self.not_possible };
        *counts.entry(blow).or_default() += 1;
    }

    /// Counts a look in which everything was well.
    pub fn looked(&mut self) {
        self.looks += 1;
    }

    /// Adds what the clients of a storm have seen.
    pub fn add(&mut self, storm: &Storm) {
        self.kept_promises += storm.ledger().len();
        for (sum, more) in self.tally.all().into_iter().zip(storm.tally.all()) {
            sum.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// How often this was done.
    pub fn times(&self, blow: Blow) -> usize {
        self.blows.get(&blow).copied().unwrap_or_default()
    }

    /// What the clients have seen.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// For people.
    pub fn text(&self) -> String {
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let mut text = format!("Chaos of seed {}, {:.0} s\n\nDone\n", self.seed, self.elapsed().as_secs_f64());
        for (blow, times) in &self.blows {
            text += &format!("{times:>9}  {}\n", name(*blow));
        }
        for (blow, times) in &self.not_possible {
            text += &format!("{times:>9}  left out, not possible here: {}\n", name(*blow));
        }
        text += "\nSeen by the clients\n";
        let tally = &self.tally;
        for (count, what) in [
            (figure(&tally.calls), "calls"),
            (figure(&tally.refused), "refused for the state that things were in"),
            (figure(&tally.lost), "sessions lost"),
            (figure(&tally.timed_out), "lock timeouts"),
            (figure(&tally.no_room), "calls that found the disk full"),
            (self.kept_promises as u64, "commits acknowledged: tasks, ends of tasks, events taken"),
        ] {
            text += &format!("{count:>9}  {what}\n");
        }
        text + &format!("\nLooked {} times: invariants, acknowledged commits, the standby's rows.\n", self.looks)
    }
}

fn name(blow: Blow) -> String {
    match blow {
        Blow::Failover { rewind: true, .. } => format!("{}, pg_rewind", blow.name()),
        Blow::Failover { rewind: false, .. } => format!("{}, new base backup", blow.name()),
        _ => blow.name().to_string(),
    }
}
