//! The scenario: which machines and issues there are, and which machine fails when and how.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use postgres::Client;
use uuid::Uuid;

use super::DATABASE;
use super::daemon::Identity;
use super::machine::Machine;
use super::timeline::Timeline;
use crate::cluster::Cluster;
use crate::project::Project;

/// Generous, because a busy machine is slow.
const LIMIT: Duration = Duration::from_secs(60);
const WORKSPACE: Uuid = Uuid::from_u128(0x00000000_0000_4000_8000_00000000000a);
/// The machines and their providers. The agents are inserted with the issues.
const MACHINES: [(&str, &str); 4] =
    [("anna-laptop", "claude"), ("build-box", "codex"), ("eva.local", "claude"), ("rack-7", "claude")];
/// Tasks of a daemon that its successor can resume, because they have a session.
const RESUMABLE: &str = "SELECT t.id, t.context ->> 'issue'
                       FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
                       WHERE r.daemon_id = $1 AND t.status = 'running' AND t.session_id IS NOT NULL";
/// How many tasks are active, how many machines are offline, and how many events there are.
const PROGRESS: &str =
    "SELECT (SELECT count(*) FROM agent_task_queue WHERE status IN ('queued', 'dispatched', 'running')),
                        (SELECT count(*) FROM agent_runtime WHERE status <> 'online'),
                        (SELECT count(*) FROM multica_event_log)";

/// How a machine fails.
#[derive(Clone, Copy)]
enum Failure {
    /// Its daemon is killed, and is started again after it was found stale.
    Death,
    /// Its daemon is killed, and is started again at once.
    Crash,
    /// Its daemon is paused, and continues after it was found stale.
    Sleep,
    /// Its daemon is replaced by one with another daemon id.
    Rename,
}

use Failure::{Crash, Death, Rename, Sleep};

/// All failures of a demo; their order is random.
const FAILURES: [Failure; 9] = [Death, Death, Crash, Crash, Crash, Sleep, Sleep, Rename, Rename];

/// The machines, and when those that are away come back.
pub struct Fleet {
    /// All of them.
    pub machines: Vec<Machine>,
    absent: Vec<(Instant, usize)>,
}

/// Runs until no task is active and every machine is back.
pub fn run(
    project: &Project,
    cluster: &Cluster,
    client: &mut Client,
    timeline: &mut Timeline,
    rng: &mut Rng,
) -> Result<Fleet> {
    let fixtures = project.harness().join("fixtures");
    client.batch_execute(&std::fs::read_to_string(fixtures.join("demo_team.sql"))?)?;
    timeline.print_action("Four machines register. Each has a daemon, which is a process of its own.");
    let mut fleet = Fleet::start(cluster)?;
    timeline.take()?;
    timeline.print_action("Twelve issues, one task each. Two attempts per task, but only one to drop the table.");
    client.batch_execute(&std::fs::read_to_string(fixtures.join("demo_issues.sql"))?)?;

    let mut failures = FAILURES;
    rng.shuffle(&mut failures);
    let mut failures = failures.into_iter().peekable();
    let started = Instant::now();
    let mut next = started + pause(rng);
    loop {
        timeline.take()?;
        fleet.bring_back(timeline)?;
        let row = client.query_one(PROGRESS, &[])?;
        let (tasks, offline, events): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let is_quiet = failures.peek().is_none() && fleet.absent.is_empty();
        if is_quiet && tasks + offline == 0 && events == timeline.printed.len() as i64 {
            return Ok(fleet);
        }
        ensure!(
            started.elapsed() < LIMIT,
            "after {LIMIT:?} {tasks} tasks are active, and {offline} machines are offline"
        );
        if Instant::now() >= next
            && let Some(victim) = fleet.victim(rng)
            && let Some(failure) = failures.next()
        {
            fleet.fail(victim, failure, client, timeline, rng)?;
            next = Instant::now() + pause(rng);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The pause between two failures.
fn pause(rng: &mut Rng) -> Duration {
    Duration::from_millis(rng.u64(300..1000))
}

impl Fleet {
    fn start(cluster: &Cluster) -> Result<Fleet> {
        let start = |(name, provider): (&str, &str)| -> Result<Machine> {
            Machine::start(Identity {
                host: cluster.socket_folder(),
                database: DATABASE.into(),
                workspace: WORKSPACE,
                disk: cluster.socket_folder().join("disks").join(name),
                provider: provider.into(),
                daemon_id: name.into(),
                legacy_id: None,
                running: Vec::new(),
            })
        };
        Ok(Fleet { machines: MACHINES.into_iter().map(start).collect::<Result<_>>()?, absent: Vec::new() })
    }

    /// Brings back the machines that are due. Fails if a daemon has ended by itself.
    fn bring_back(&mut self, timeline: &Timeline) -> Result<()> {
        for machine in &mut self.machines {
            machine.check()?;
        }
        let due = |(when, _): &mut (Instant, usize)| *when <= Instant::now();
        for (_, at) in self.absent.extract_if(.., due) {
            let machine = &mut self.machines[at];
            let how = if machine.is_asleep()? { "wakes up: its process continues" } else { "is started again" };
            timeline.print_action(&format!("{} {how}.", machine.name()));
            machine.come_back()?;
        }
        Ok(())
    }

    /// A random machine that is not away.
    fn victim(&self, rng: &mut Rng) -> Option<usize> {
        let present = (0..self.machines.len()).filter(|at| !self.machines[*at].is_away());
        rng.choice(present.collect::<Vec<_>>())
    }

    fn fail(
        &mut self,
        victim: usize,
        failure: Failure,
        client: &mut Client,
        timeline: &Timeline,
        rng: &mut Rng,
    ) -> Result<()> {
        let machine = &mut self.machines[victim];
        let (name, pid) = (machine.name().to_string(), machine.pid());
        // Longer than `multica.stale_after`: the runtime is set offline.
        let back_at = Instant::now() + Duration::from_millis(rng.u64(4500..5500));
        match failure {
            Death => {
                timeline
                    .print_action(&format!("{name} dies: SIGKILL to process {pid}. Its daemon does not deregister."));
                machine.kill()?;
                self.absent.push((back_at, victim));
            }
            Crash => {
                timeline.print_action(&format!("{name} crashes (process {pid}) and restarts before it is stale."));
                machine.kill()?;
                machine.come_back()?;
            }
            Sleep => {
                timeline.print_action(&format!("{name} falls asleep: SIGSTOP to process {pid}."));
                machine.sleep()?;
                self.absent.push((back_at, victim));
            }
            Rename => {
                let new = format!("machine-{:04x}", rng.u16(..));
                machine.kill()?;
                let (mut running, mut issues) = (Vec::new(), String::new());
                for row in client.query(RESUMABLE, &[&name])? {
                    running.push(row.get(0));
                    issues += &format!(", its agent still works on {}", row.get::<_, &str>(1));
                }
                timeline.print_action(&format!("{name} is renamed to {new}{issues}."));
                machine.come_back_as(new, running)?;
            }
        }
        Ok(())
    }
}
