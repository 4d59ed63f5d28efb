//! What happens and when, all of it from one seed.

use std::time::Duration;

use fastrand::Rng;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// SIGKILL to every process of the primary.
    KillServer,
    /// SIGKILL to the primary's postmaster alone.
    KillPostmaster,
    /// The standby takes the primary's place, who comes back as its standby.
    Failover {
        /// The old primary still serves when the standby is promoted, and is fenced off only then.
        late_fence: bool,
        /// It comes back by `pg_rewind`; else a new standby is made from a base backup.
        rewind: bool,
    },
    /// The primary is stopped without a checkpoint.
    StopImmediately,
    /// SIGKILL to one backend, whereupon the postmaster ends all of them and recovers.
    KillBackend,
    /// pg_terminate_backend on a client, a walsender, the launcher or a worker.
    Terminate,
    /// SIGKILL to a client that is idle in a transaction.
    VanishIdle,
    /// SIGKILL to a client in the middle of a statement.
    VanishBusy,
    /// Somebody locks all agents and thinks for longer than `lock_timeout`.
    HoldLocks,
    /// The disk is full for a while.
    FillDisk,
    /// SIGKILL to every process of the standby: commits wait until it is back.
    KillStandby,
}

impl Blow {
    /// As the report says it.
    pub fn name(self) -> &'static str {
        match self {
            Blow::KillServer => "server killed",
            Blow::KillPostmaster => "postmaster alone killed",
            Blow::Failover { late_fence: false, .. } => "server killed, standby promoted",
            Blow::Failover { late_fence: true, .. } => "standby promoted, then old primary killed",
            Blow::StopImmediately => "server stopped without a checkpoint",
            Blow::KillBackend => "backend killed, crash restart",
            Blow::Terminate => "backend terminated",
            Blow::VanishIdle => "client killed, idle in transaction",
            Blow::VanishBusy => "client killed, in mid-statement",
            Blow::HoldLocks => "rows locked for longer than lock_timeout",
            Blow::FillDisk => "disk full",
            Blow::KillStandby => "standby killed",
        }
    }
}

/// Some smaller blows, and then the primary is killed in one way or another.
pub struct Round {
    /// Each after a pause.
    pub blows: Vec<(Duration, Blow)>,
    /// Afterwards the worker gets the time to find every machine dead.
    pub settle: bool,
}

/// A round for each time that the primary is killed.
pub fn rounds(rng: &mut Rng, kills: usize) -> Vec<Round> {
    let mut ends = Bag::default();
    let mut others = Bag::default();
    (1..=kills)
        .map(|number| {
            let mut blows = Vec::new();
            for _ in 0..2 {
                let pause = rng.u64(50..500);
                blows.push((pause, others.draw(rng, every_small_blow)));
            }
            blows.push((rng.u64(100..800), ends.draw(rng, every_end)));
            Round {
                blows: blows.into_iter().map(|(pause, blow)| (Duration::from_millis(pause), blow)).collect(),
                settle: number % 3 == 0 || number == kills,
            }
        })
        .collect()
}

/// So many rounds are enough for everything to happen once.
fn every_end(rng: &mut Rng) -> Vec<Blow> {
    let rewind = rng.bool();
    let mut all = vec![Blow::KillServer; 5];
    all.extend([Blow::KillPostmaster; 3]);
    all.extend([false, true].map(|late_fence| Blow::Failover { late_fence, rewind: late_fence == rewind }));
    all
}

fn every_small_blow(_rng: &mut Rng) -> Vec<Blow> {
    [
        (Blow::Terminate, 4),
        (Blow::KillBackend, 2),
        (Blow::VanishIdle, 2),
        (Blow::VanishBusy, 2),
        (Blow::HoldLocks, 2),
        (Blow::FillDisk, 3),
        (Blow::KillStandby, 2),
        (Blow::StopImmediately, 2),
    ]
    .into_iter()
    .flat_map(|(blow, times)| std::iter::repeat_n(blow, times))
    .collect()
}

/// What is drawn from it comes back only when it is empty, so that nothing stays away for long.
#[derive(Default)]
struct Bag(Vec<Blow>);

impl Bag {
    fn draw(&mut self, rng: &mut Rng, all: fn(&mut Rng) -> Vec<Blow>) -> Blow {
        if self.0.is_empty() {
            self.0 = all(rng);
            rng.shuffle(&mut self.0);
        }
        self.0.pop().expect("a full bag")
    }
}
