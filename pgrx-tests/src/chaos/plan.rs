//! Which faults are injected and when, all from one seed.

use std::time::Duration;

use fastrand::Rng;

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL to every process of the primary.
    KillServer,
    /// SIGKILL to the primary's postmaster alone.
    KillPostmaster,
    /// The standby is promoted, and the old primary becomes its standby.
    Failover {
        /// The old primary is still running when the standby is promoted, and is killed after that.
        late_fence: bool,
        /// The old primary is rewound by `pg_rewind`; otherwise a new standby is made from a base backup.
        rewind: bool,
    },
    /// The primary is stopped without a checkpoint.
    StopImmediately,
    /// SIGKILL to one backend, after which the postmaster ends all backends and recovers.
    KillBackend,
    /// pg_terminate_backend on a client, a walsender, the launcher or a worker.
    TerminateBackend,
    /// SIGKILL to a client that is idle in a transaction.
    KillIdleClient,
    /// SIGKILL to a client in the middle of a statement.
    KillBusyClient,
    /// A session locks all agents for longer than `lock_timeout`.
    HoldLocks,
    /// The disk is full for a while.
    FillDisk,
    /// SIGKILL to every process of the standby: commits wait until it runs again.
    KillStandby,
}

impl Fault {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Fault::KillServer => "server killed",
            Fault::KillPostmaster => "postmaster alone killed",
            Fault::Failover { late_fence: false, .. } => "server killed, standby promoted",
            Fault::Failover { late_fence: true, .. } => "standby promoted, then old primary killed",
            Fault::StopImmediately => "server stopped without a checkpoint",
            Fault::KillBackend => "backend killed, crash restart",
            Fault::TerminateBackend => "backend terminated",
            Fault::KillIdleClient => "client killed, idle in transaction",
            Fault::KillBusyClient => "client killed, in the middle of a statement",
            Fault::HoldLocks => "rows locked for longer than lock_timeout",
            Fault::FillDisk => "disk full",
            Fault::KillStandby => "standby killed",
        }
    }
}

/// Some minor faults, and then one that kills the primary.
pub struct Round {
    /// The minor faults, each with the pause before it.
    pub faults: Vec<(Duration, Fault)>,
    /// Whether the check after it waits until the worker has set every runtime offline.
    pub wait_for_sweep: bool,
}

/// One round per kill of the primary.
pub fn rounds(rng: &mut Rng, kills: usize) -> Vec<Round> {
    let mut kills_of_primary = Bag::default();
    let mut minor_faults = Bag::default();
    (1..=kills)
        .map(|number| {
            let mut faults = Vec::new();
            for _ in 0..2 {
                let pause = rng.u64(50..500);
                faults.push((pause, minor_faults.draw(rng, all_minor_faults)));
            }
            faults.push((rng.u64(100..800), kills_of_primary.draw(rng, all_kills_of_primary)));
            Round {
                faults: faults.into_iter().map(|(pause, fault)| (Duration::from_millis(pause), fault)).collect(),
                wait_for_sweep: number % 3 == 0 || number == kills,
            }
        })
        .collect()
}

/// Returns the number of rounds after which each fault has been injected.
fn all_kills_of_primary(rng: &mut Rng) -> Vec<Fault> {
    let rewind = rng.bool();
    let mut all = vec![Fault::KillServer; 5];
    all.extend([Fault::KillPostmaster; 3]);
    all.extend([false, true].map(|late_fence| Fault::Failover { late_fence, rewind: late_fence == rewind }));
    all
}

fn all_minor_faults(_rng: &mut Rng) -> Vec<Fault> {
    [
        (Fault::TerminateBackend, 4),
        (Fault::KillBackend, 2),
        (Fault::KillIdleClient, 2),
        (Fault::KillBusyClient, 2),
        (Fault::HoldLocks, 2),
        (Fault::FillDisk, 3),
        (Fault::KillStandby, 2),
        (Fault::StopImmediately, 2),
    ]
    .into_iter()
    .flat_map(|(fault, times)| std::iter::repeat_n(fault, times))
    .collect()
}

/// Draws each fault once before it draws one again, so that a short plan contains all of them.
#[derive(Default)]
struct Bag(Vec<Fault>);

impl Bag {
    fn draw(&mut self, rng: &mut Rng, all: fn(&mut Rng) -> Vec<Fault>) -> Fault {
        if self.0.is_empty() {
            self.0 = all(rng);
            rng.shuffle(&mut self.0);
        }
        self.0.pop().expect("a full bag")
    }
}
