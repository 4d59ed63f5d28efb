//! The story itself: who there is, what there is to do, and what befalls whom.

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

/// Generous: on a busy machine everything comes late, and the story is the same.
const LIMIT: Duration = Duration::from_secs(60);
const WORKSPACE: Uuid = Uuid::from_u128(0x00000000_0000_4000_8000_00000000000a);
/// The machines and what they offer. Their agents come with the issues.
const MACHINES: [(&str, &str); 4] =
    [("anna-laptop", "claude"), ("build-box", "codex"), ("eva.local", "claude"), ("rack-7", "claude")];
/// The work that a daemon, given a new name, can go on with: it got as far as a session.
const AT_WORK: &str = "SELECT t.id, t.context ->> 'issue'
                       FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
                       WHERE r.daemon_id = $1 AND t.status = 'running' AND t.session_id IS NOT NULL";
/// Tasks that are not over, machines that are missed, events.
const LEFT: &str = "SELECT (SELECT count(*) FROM agent_task_queue WHERE status IN ('queued', 'dispatched', 'running')),
                        (SELECT count(*) FROM agent_runtime WHERE status <> 'online'),
                        (SELECT count(*) FROM multica_event_log)";

/// What can befall a machine.
#[derive(Clone, Copy)]
enum Misfortune {
    /// Its daemon dies, and it takes a while until somebody starts it again.
    Death,
    /// Its daemon dies and is there again at once.
    Crash,
    /// It stops, and after a while goes on as if nothing had been.
    Sleep,
    /// Its daemon is replaced by one with another identity.
    Rename,
}

use Misfortune::{Crash, Death, Rename, Sleep};

/// What is dealt out in the course of a story, in an order that the dice choose.
const MISFORTUNES: [Misfortune; 9] = [Death, Death, Crash, Crash, Crash, Sleep, Sleep, Rename, Rename];

/// The machines, and those among them that are to come back at a time of their own.
pub struct Fleet {
    /// All of them.
    pub machines: Vec<Machine>,
    absent: Vec<(Instant, usize)>,
}

/// Tells the story until nothing is left to do and everybody is back.
pub fn tell(
    project: &Project,
    cluster: &Cluster,
    client: &mut Client,
    timeline: &mut Timeline,
    rng: &mut Rng,
) -> Result<Fleet> {
    let fixtures = project.harness().join("fixtures");
    client.batch_execute(&std::fs::read_to_string(fixtures.join("demo_team.sql"))?)?;
    timeline.act("Four machines register, each with a daemon that is a process of its own.");
    let mut fleet = Fleet::start(cluster)?;
    timeline.take()?;
    timeline.act("Twelve issues for their agents, a task each. Two attempts, but one for dropping the table.");
    client.batch_execute(&std::fs::read_to_string(fixtures.join("demo_issues.sql"))?)?;

    let mut misfortunes = MISFORTUNES;
    rng.shuffle(&mut misfortunes);
    let mut misfortunes = misfortunes.into_iter().peekable();
    let started = Instant::now();
    let mut next = started + rest(rng);
    loop {
        timeline.take()?;
        fleet.look_after(timeline)?;
        let row = client.query_one(LEFT, &[])?;
        let (tasks, missed, events): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let is_quiet = misfortunes.peek().is_none() && fleet.absent.is_empty();
        if is_quiet && tasks + missed == 0 && events == timeline.told.len() as i64 {
            return Ok(fleet);
        }
        ensure!(started.elapsed() < LIMIT, "after {LIMIT:?} {tasks} tasks are not over, and {missed} machines missed");
        if Instant::now() >= next
            && let Some(victim) = fleet.victim(rng)
            && let Some(misfortune) = misfortunes.next()
        {
            fleet.strike(victim, misfortune, client, timeline, rng)?;
            next = Instant::now() + rest(rng);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The pause after a misfortune.
fn rest(rng: &mut Rng) -> Duration {
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

    /// Brings back whose time has come, and sees to it that no daemon has ended by itself.
    fn look_after(&mut self, timeline: &Timeline) -> Result<()> {
        for machine in &mut self.machines {
            machine.check()?;
        }
        let due = |(when, _): &mut (Instant, usize)| *when <= Instant::now();
        for (_, at) in self.absent.extract_if(.., due) {
            let machine = &mut self.machines[at];
            let how =
                if machine.is_asleep()? { "wakes up and goes on as if nothing had been" } else { "is started again" };
            timeline.act(&format!("{} {how}.", machine.name()));
            machine.come_back()?;
        }
        Ok(())
    }

    /// Somebody who is there.
    fn victim(&self, rng: &mut Rng) -> Option<usize> {
        let there = (0..self.machines.len()).filter(|at| !self.machines[*at].is_away());
        rng.choice(there.collect::<Vec<_>>())
    }

    fn strike(
        &mut self,
        victim: usize,
        misfortune: Misfortune,
        client: &mut Client,
        timeline: &Timeline,
        rng: &mut Rng,
    ) -> Result<()> {
        let machine = &mut self.machines[victim];
        let (name, pid) = (machine.name().to_string(), machine.pid());
        // Longer than a runtime may be silent: it is missed.
        let missed = Instant::now() + Duration::from_millis(rng.u64(4500..5500));
        match misfortune {
            Death => {
                timeline.act(&format!("{name} dies: SIGKILL to process {pid}. Nobody says goodbye."));
                machine.kill()?;
                self.absent.push((missed, victim));
            }
            Crash => {
                timeline.act(&format!("{name} crashes (process {pid}) and restarts before anybody could miss it."));
                machine.kill()?;
                machine.come_back()?;
            }
            Sleep => {
                timeline.act(&format!("{name} falls asleep: process {pid} stops where it is."));
                machine.sleep()?;
                self.absent.push((missed, victim));
            }
            Rename => {
                let new = format!("machine-{:04x}", rng.u16(..));
                machine.kill()?;
                let (mut running, mut issues) = (Vec::new(), String::new());
                for row in client.query(AT_WORK, &[&name])? {
                    running.push(row.get(0));
                    issues += &format!(", its agent still at work on {}", row.get::<_, &str>(1));
                }
                timeline.act(&format!("{name} is set up anew as {new}{issues}."));
                machine.come_back_as(new, running)?;
            }
        }
        Ok(())
    }
}
