//! A daemon of the demo: a process of its own, which knows nothing but a connection and the disk of its machine.

use std::convert::Infallible;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use postgres::error::SqlState;
use postgres::{Client, NoTls};
use serde_json::{Value, json};
use uuid::Uuid;

use super::desk::Desk;
use crate::cluster::{PORT, SUPERUSER};

/// Pause between two rounds: a beat, a step of every task, a claim.
const ROUND: Duration = Duration::from_millis(200);
/// Tasks that a machine works on at the same time.
const SLOTS: usize = 2;

/// What a daemon process is told on its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Identity {
    /// Folder of the server's socket
    #[arg(long)]
    pub host: PathBuf,
    /// Database of the fleet
    #[arg(long)]
    pub database: String,
    /// Workspace to register in
    #[arg(long)]
    pub workspace: Uuid,
    /// The disk of the machine, where agents keep their sessions
    #[arg(long)]
    pub disk: PathBuf,
    /// Provider of its one runtime
    #[arg(long)]
    pub provider: String,
    /// Identity of the machine
    #[arg(long)]
    pub daemon_id: String,
    /// An identity the machine had before
    #[arg(long)]
    pub legacy_id: Option<String>,
    /// A task whose agent has outlived the process before this one
    #[arg(long)]
    pub running: Vec<Uuid>,
}

impl Identity {
    fn registration(&self) -> Value {
        let running: Vec<String> = self.running.iter().map(Uuid::to_string).collect();
        json!({
            "daemon_id": self.daemon_id,
            "legacy_daemon_ids": self.legacy_id.iter().collect::<Vec<_>>(),
            "device_name": self.daemon_id,
            "cli_version": "1.0.0",
            "launched_by": "demo",
            "recover": true,
            "runtimes": [{"type": self.provider, "version": "1.0.0", "running": running}],
        })
    }

    fn connect(&self) -> Result<Client> {
        let mut config = postgres::Config::new();
        config.host_path(&self.host).port(PORT).user(SUPERUSER).dbname(&self.database);
        config.application_name(&format!("daemon {}", self.daemon_id));
        Ok(config.connect(NoTls)?)
    }
}

/// A task that an agent of this machine works on.
struct Run {
    task: Uuid,
    /// None where the claim was the previous process's.
    token: Option<i64>,
    issue: String,
    steps: usize,
    desk: Desk,
}

impl Run {
    /// What there is to do says the task's context.
    fn new(task: Uuid, token: Option<i64>, context: &Value, desk: Desk) -> Run {
        Run {
            task,
            token,
            issue: context["issue"].as_str().unwrap_or_default().to_string(),
            steps: context["steps"].as_u64().unwrap_or(1) as usize,
            desk,
        }
    }

    /// Where a session that was begun before is taken up.
    fn say_where_it_goes_on(&self) {
        let done = self.desk.steps_done();
        if done > 0 {
            let (issue, next, steps) = (&self.issue, done + 1, self.steps);
            println!("goes on with {issue}: {}, step {} of {steps}", self.desk.session(), next.min(steps));
        }
    }
}

struct Daemon {
    client: Client,
    disk: PathBuf,
    runtime: Uuid,
    runs: Vec<Run>,
}

/// The life of a daemon process: register, say so, then work until killed or until the demo is gone. What it prints is
/// told in the story.
pub fn live(identity: &Identity) -> Result<Infallible> {
    die_with_the_demo()?;
    let mut client = identity.connect()?;
    let register = "SELECT id FROM multica_register($1, $2)";
    let runtime: Uuid = client.query_one(register, &[&identity.workspace, &identity.registration()])?.get(0);
    println!("{runtime}");
    let mut daemon = Daemon { client, disk: identity.disk.clone(), runtime, runs: Vec::new() };
    for task in &identity.running {
        daemon.adopt(*task)?;
    }
    loop {
        daemon.beat()?;
        daemon.work()?;
        daemon.claim()?;
        std::thread::sleep(ROUND);
    }
}

/// The demo holds the other end of the input; one that was killed leaves no daemons behind, stopped ones included.
fn die_with_the_demo() -> Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    Ok(())
}

impl Daemon {
    /// Goes on with what the process before this one had begun.
    fn adopt(&mut self, task: Uuid) -> Result<()> {
        let sql = "SELECT session_id, context FROM multica_get_task($1)";
        let row = self.client.query_one(sql, &[&task])?;
        let desk = Desk::of(&self.disk, row.get(0))?;
        let run = Run::new(task, None, &row.get(1), desk);
        run.say_where_it_goes_on();
        self.runs.push(run);
        Ok(())
    }

    /// Says what runs here, and stops what was failed or cancelled meanwhile.
    fn beat(&mut self) -> Result<()> {
        let running: Vec<Uuid> = self.runs.iter().map(|run| run.task).collect();
        let beat = "SELECT stop_task_ids FROM multica_heartbeat($1, $2)";
        let stop: Vec<Uuid> = self.client.query_one(beat, &[&self.runtime, &running])?.get(0);
        for run in self.runs.extract_if(.., |run| stop.contains(&run.task)) {
            println!("is told to stop {}", run.issue);
        }
        Ok(())
    }

    /// Every agent does one step; who has done the last one reports it.
    fn work(&mut self) -> Result<()> {
        let mut going_on = Vec::new();
        for mut run in std::mem::take(&mut self.runs) {
            run.desk.step()?;
            if run.desk.steps_done() < run.steps {
                going_on.push(run);
            } else {
                self.complete(&run)?;
            }
        }
        self.runs = going_on;
        Ok(())
    }

    /// The result, the issue that is done by it and the comment that people read commit together, or not at all.
    fn complete(&mut self, run: &Run) -> Result<()> {
        let result = json!({ "steps": run.steps });
        let mut transaction = self.client.transaction()?;
        let complete = "SELECT issue_id FROM multica_complete($1, $2, claim_token => $3) WHERE applied";
        let done = transaction.query_opt(complete, &[&run.task, &result, &run.token]);
        if let Some(row) = unless_taken_away(done)?.flatten() {
            let issue: Uuid = row.get(0);
            let close = "UPDATE issue SET status = 'done' WHERE id = $1";
            transaction.execute(close, &[&issue])?;
            let say = "INSERT INTO comment (issue_id, workspace_id, author_type, author_id, content)
                       SELECT id, workspace_id, 'agent', assignee_id, $2 FROM issue WHERE id = $1";
            let content = format!("Done, in session {}.", run.desk.session());
            transaction.execute(say, &[&issue, &content])?;
            transaction.commit()?;
        } else {
            println!("comes too late with {}", run.issue);
        }
        Ok(())
    }

    /// Takes as much as there is room for, and pins each session before its agent does anything.
    fn claim(&mut self) -> Result<()> {
        let room = (SLOTS - self.runs.len()) as i32;
        let claim = "SELECT id, claim_token, prior_session_id, context FROM multica_claim($1, $2)";
        for row in self.client.query(claim, &[&self.runtime, &room])? {
            let (task, token): (Uuid, i64) = (row.get(0), row.get(1));
            let start = "SELECT FROM multica_start($1, $2)";
            if unless_taken_away(self.client.query_one(start, &[&task, &token]))?.is_none() {
                continue;
            }
            let session = row
                .get::<_, Option<String>>(2)
                .unwrap_or_else(|| format!("session-{}", &task.simple().to_string()[..4]));
            let desk = Desk::of(&self.disk, &session)?;
            let pin = "SELECT multica_pin_session($1, $2, $3, $4)";
            let place = desk.folder().to_string_lossy();
            let pinned = self.client.query_one(pin, &[&task, &session, &place, &token]);
            if unless_taken_away(pinned)?.is_some_and(|row| row.get(0)) {
                let run = Run::new(task, Some(token), &row.get(3), desk);
                run.say_where_it_goes_on();
                self.runs.push(run);
            }
        }
        Ok(())
    }
}

/// None where the task was failed, cancelled or handed out anew meanwhile: nobody's fault, and nothing to be done here.
fn unless_taken_away<T>(answer: Result<T, postgres::Error>) -> Result<Option<T>> {
    match answer {
        Ok(given) => Ok(Some(given)),
        Err(error) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
