//! Plays the story.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postgres::Client;
use uuid::Uuid;

use super::DATABASE;
use super::identity::Identity;
use super::machine::Machine;
use super::pace::Pace;
use super::story::{Act, LOSES_TASK, REPORTS_PROGRESS, STORIES, Story, What, When};
use super::timeline::Timeline;
use crate::cluster::Cluster;
use crate::project::Project;

const WORKSPACE: Uuid = Uuid::from_u128(0x00000000_0000_4000_8000_00000000000a);
/// The issues of a machine, each with its agent.
const ISSUES: &str = "SELECT 'ACME-' || i.number, i.title, a.name, t.max_attempts
                      FROM issue AS i JOIN agent AS a ON a.id = i.assignee_id JOIN agent_runtime AS r ON r.id = a.runtime_id
                           JOIN agent_task_queue AS t ON t.issue_id = i.id
                      WHERE r.daemon_id = $1 ORDER BY i.number";
/// How many tasks are active, how many machines are offline, and how many events there are.
const PROGRESS: &str =
    "SELECT (SELECT count(*) FROM agent_task_queue WHERE status IN ('queued', 'dispatched', 'running')),
                        (SELECT count(*) FROM agent_runtime WHERE status <> 'online'),
                        (SELECT count(*) FROM multica_event_log)";
/// A task is lost no earlier than 90 seconds after its start, whatever the settings are.
const START_EARLIER: &str = "UPDATE agent_task_queue AS t SET started_at = t.started_at - interval '90 seconds',
                                 last_heartbeat_at = t.last_heartbeat_at - interval '90 seconds'
                             FROM agent_runtime AS r
                             WHERE r.id = t.runtime_id AND r.daemon_id = $1 AND t.status = 'running'";
const START_EARLIER_SAYS: &str =
    "Only in a quick demo: the table is changed, as if the task had been started 90 s earlier. No task is lost before.";

/// A machine, and how far its story is.
pub struct Player {
    /// The machine.
    pub machine: Machine,
    story: &'static Story,
    issues: Vec<String>,
    acts_done: usize,
    last_act: Instant,
}

/// Runs until all acts are done, no task is active and every machine is back.
pub fn run(
    project: &Project,
    cluster: &Cluster,
    pace: &Pace,
    client: &mut Client,
    timeline: &mut Timeline,
) -> Result<Vec<Player>> {
    let mut players = begin(project, cluster, pace, client, timeline)?;
    let started = Instant::now();
    loop {
        let waiting = waiting(&players, timeline);
        timeline.proceed(waiting)?;
        for player in &mut players {
            player.machine.check()?;
            while let Some(act) = player.due(pace, timeline) {
                player.play(act, pace, client, timeline)?;
            }
        }
        let row = client.query_one(PROGRESS, &[])?;
        let (tasks, offline, events): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let is_over = players.iter().all(|player| player.next().is_none());
        if is_over && tasks + offline == 0 && events == timeline.events.len() as i64 {
            timeline.finish();
            return Ok(players);
        }
        ensure!(
            started.elapsed() < pace.limit,
            "after {:?} {tasks} tasks are active, and {offline} machines are offline",
            pace.limit
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts the machines, queues the tasks and prints both.
fn begin(
    project: &Project,
    cluster: &Cluster,
    pace: &Pace,
    client: &mut Client,
    timeline: &mut Timeline,
) -> Result<Vec<Player>> {
    let fixture = |name: &str| std::fs::read_to_string(project.harness().join("fixtures").join(name));
    client.batch_execute(&fixture("demo_team.sql")?)?;
    let start = |story| Player::start(story, cluster, pace, timeline);
    let mut players = STORIES.iter().map(start).collect::<Result<Vec<Player>>>()?;
    client.batch_execute(&fixture("demo_issues.sql")?)?;
    timeline.begin()?;
    println!(
        "\nSeven machines have registered. Each is a process with a connection to the database, and a folder as its disk."
    );
    println!("Eight issues are assigned to their agents, and a task is queued for each. This will happen:\n");
    for player in &mut players {
        for row in client.query(ISSUES, &[&player.story.machine])? {
            let (issue, title, agent): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let (machine, is_single) = (player.story.machine, row.get::<_, i32>(3) == 1);
            let about = if is_single { "the same, and its task may run only once" } else { player.story.about };
            println!("  {machine:<11}  {agent:<3}  {issue} {title:<20}  {about}");
            player.issues.push(issue);
        }
    }
    let seconds = |milliseconds: u64| milliseconds as f64 / 1000.0;
    println!(
        "\nAn agent does a step of its task every {} s; a daemon sends a heartbeat every {} s.",
        seconds(pace.round),
        seconds(pace.heartbeat)
    );
    println!("The whole story takes about {}.", pace.lasts);
    println!("\n  The timeline has minutes and seconds since then, and who does something:");
    println!("    a machine  what its daemon does, or after a * what the demo does to the machine");
    println!("    database   what follows from a call of a daemon, in the transaction of the call");
    println!("    sweep      what the background worker does by itself");
    println!("  Lines without a time belong to the transaction of the line above.\n");
    Ok(players)
}

/// Returns what the demo waits for, as text.
fn waiting(players: &[Player], timeline: &Timeline) -> Option<String> {
    let texts: Vec<String> = players.iter().filter_map(|player| player.trouble(timeline)).collect();
    if texts.is_empty() { None } else { Some(texts.join("\n")) }
}

impl Player {
    fn start(story: &'static Story, cluster: &Cluster, pace: &Pace, timeline: &Timeline) -> Result<Player> {
        let folder = cluster.socket_folder();
        let identity = Identity {
            disk: folder.join("disks").join(story.machine),
            host: folder,
            database: DATABASE.into(),
            workspace: WORKSPACE,
            provider: story.provider.into(),
            daemon_id: story.machine.into(),
            legacy_id: None,
            places: story.agents,
            round: pace.round,
            heartbeat: pace.heartbeat,
            reports_progress: story.machine == REPORTS_PROGRESS,
        };
        let machine = Machine::start(identity, timeline.output())?;
        Ok(Player { machine, story, issues: Vec::new(), acts_done: 0, last_act: Instant::now() })
    }

    fn next(&self) -> Option<&'static Act> {
        self.story.acts.get(self.acts_done)
    }

    /// The next act, if it is due.
    fn due(&self, pace: &Pace, timeline: &Timeline) -> Option<&'static Act> {
        let act = self.next()?;
        let have_failed = || {
            let failed = |issue: &String| timeline.since_failure(issue).is_some_and(|ago| ago >= pace.pause);
            self.issues.iter().all(failed)
        };
        let is_due = match act.when {
            When::Steps(steps) => self.machine.steps_done() >= steps,
            When::Pause => self.last_act.elapsed() >= pace.pause,
            When::Verdict { steps } => have_failed() && self.machine.steps_done() >= steps,
        };
        is_due.then_some(act)
    }

    fn play(&mut self, act: &Act, pace: &Pace, client: &mut Client, timeline: &mut Timeline) -> Result<()> {
        timeline.tell(self.machine.name(), act.says);
        match act.what {
            What::Sleep => self.machine.sleep()?,
            What::WakeUp => self.machine.wake_up()?,
            What::Kill => self.machine.kill()?,
            What::Restart => self.machine.restart()?,
            What::Replace(name) => self.machine.replace(name)?,
            What::Order(order) => self.machine.order(order)?,
        }
        if pace.is_quick && self.story.machine == LOSES_TASK {
            client.execute(START_EARLIER, &[&self.story.machine])?;
            timeline.tell(self.machine.name(), START_EARLIER_SAYS);
        }
        self.acts_done += 1;
        self.last_act = Instant::now();
        Ok(())
    }

    /// What is the matter with the machine, and for how long. None if it is well, or has got its verdict and nothing more
    /// will happen to it.
    fn trouble(&self, timeline: &Timeline) -> Option<String> {
        let act = self.story.acts.get(self.acts_done.checked_sub(1)?)?;
        let is_over = self.next().is_none() && self.issues.iter().all(|issue| timeline.since_failure(issue).is_some());
        let (trouble, setting) = act.leaves.filter(|_| !is_over)?;
        Some(format!("{} {trouble} {} s ago ({setting})", self.story.machine, self.last_act.elapsed().as_secs()))
    }
}
