//! A daemon of the demo. It is a separate process, which has only a database connection and the disk of its machine.

use std::convert::Infallible;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use postgres::error::SqlState;
use postgres::{Client, NoTls};
use serde_json::{Value, json};
use uuid::Uuid;

use super::session_folder::SessionFolder;
use crate::cluster::{PORT, SUPERUSER};

/// Pause between two rounds. A round is a heartbeat, one step of each task, and a claim.
const ROUND: Duration = Duration::from_millis(200);
/// How many tasks a daemon works on at the same time.
const SLOTS: usize = 2;

/// The command line of a daemon process.
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
    /// Disk of the machine, where agents keep their sessions
    #[arg(long)]
    pub disk: PathBuf,
    /// Provider of its one runtime
    #[arg(long)]
    pub provider: String,
    /// Daemon id of the machine
    #[arg(long)]
    pub daemon_id: String,
    /// Daemon id that the machine had before
    #[arg(long)]
    pub legacy_id: Option<String>,
    /// Task whose agent is still running after the previous daemon process ended
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

/// A task in flight on this machine.
struct Work {
    task: Uuid,
    /// None if the previous daemon process claimed the task.
    token: Option<i64>,
    issue: String,
    steps: usize,
    folder: SessionFolder,
}

impl Work {
    /// The context of the task has its issue and the number of its steps.
    fn new(task: Uuid, token: Option<i64>, context: &Value, folder: SessionFolder) -> Work {
        Work {
            task,
            token,
            issue: context["issue"].as_str().unwrap_or_default().to_string(),
            steps: context["steps"].as_u64().unwrap_or(1) as usize,
            folder,
        }
    }

    /// Prints at which step an existing session is resumed.
    fn print_if_resumed(&self) {
        let done = self.folder.steps_done();
        if done > 0 {
            let (issue, next, steps) = (&self.issue, done + 1, self.steps);
            println!("resumes {issue}: {}, step {} of {steps}", self.folder.session(), next.min(steps));
        }
    }
}

struct Daemon {
    client: Client,
    disk: PathBuf,
    runtime: Uuid,
    in_flight: Vec<Work>,
}

/// Registers, prints the id of the runtime, then works until it is killed or the demo ends. The demo prints its output.
pub fn run(identity: &Identity) -> Result<Infallible> {
    exit_with_the_demo()?;
    let mut client = identity.connect()?;
    let register = "SELECT id FROM multica_register($1, $2)";
    let runtime: Uuid = client.query_one(register, &[&identity.workspace, &identity.registration()])?.get(0);
    println!("{runtime}");
    let mut daemon = Daemon { client, disk: identity.disk.clone(), runtime, in_flight: Vec::new() };
    for task in &identity.running {
        daemon.resume(*task)?;
    }
    loop {
        daemon.heartbeat()?;
        daemon.work()?;
        daemon.claim()?;
        std::thread::sleep(ROUND);
    }
}

/// Makes this process end when the demo is killed. The demo holds the other end of the standard input, so a read from
/// it ends then. A stopped process does not read, so on Linux the kernel kills it.
fn exit_with_the_demo() -> Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    Ok(())
}

impl Daemon {
    /// Continues a task of the previous daemon process.
    fn resume(&mut self, task: Uuid) -> Result<()> {
        let sql = "SELECT session_id, context FROM multica_get_task($1)";
        let row = self.client.query_one(sql, &[&task])?;
        let folder = SessionFolder::open(&self.disk, row.get(0))?;
        let work = Work::new(task, None, &row.get(1), folder);
        work.print_if_resumed();
        self.in_flight.push(work);
        Ok(())
    }

    /// Sends the tasks in flight, and stops those that were failed or cancelled meanwhile.
    fn heartbeat(&mut self) -> Result<()> {
        let running: Vec<Uuid> = self.in_flight.iter().map(|work| work.task).collect();
        let heartbeat = "SELECT stop_task_ids FROM multica_heartbeat($1, $2)";
        let stop: Vec<Uuid> = self.client.query_one(heartbeat, &[&self.runtime, &running])?.get(0);
        for work in self.in_flight.extract_if(.., |work| stop.contains(&work.task)) {
            println!("stops {}, as its heartbeat asks for", work.issue);
        }
        Ok(())
    }

    /// Does one step of each task, and completes those that have no further step.
    fn work(&mut self) -> Result<()> {
        let mut unfinished = Vec::new();
        for mut work in std::mem::take(&mut self.in_flight) {
            work.folder.step()?;
            if work.folder.steps_done() < work.steps {
                unfinished.push(work);
            } else {
                self.complete(&work)?;
            }
        }
        self.in_flight = unfinished;
        Ok(())
    }

    /// Writes the result, the issue's status and its comment in one transaction.
    fn complete(&mut self, work: &Work) -> Result<()> {
        let result = json!({ "steps": work.steps });
        let mut transaction = self.client.transaction()?;
        let complete = "SELECT issue_id FROM multica_complete($1, $2, claim_token => $3) WHERE applied";
        let done = transaction.query_opt(complete, &[&work.task, &result, &work.token]);
        if let Some(row) = unless_refused(done)?.flatten() {
            let issue: Uuid = row.get(0);
            let close = "UPDATE issue SET status = 'done' WHERE id = $1";
            transaction.execute(close, &[&issue])?;
            let comment = "INSERT INTO comment (issue_id, workspace_id, author_type, author_id, content)
                       SELECT id, workspace_id, 'agent', assignee_id, $2 FROM issue WHERE id = $1";
            let content = format!("Done, in session {}.", work.folder.session());
            transaction.execute(comment, &[&issue, &content])?;
            transaction.commit()?;
        } else {
            println!("reports {} too late", work.issue);
        }
        Ok(())
    }

    /// Claims tasks up to the limit, and pins each session before its agent does the first step.
    fn claim(&mut self) -> Result<()> {
        let room = (SLOTS - self.in_flight.len()) as i32;
        let claim = "SELECT id, claim_token, prior_session_id, context FROM multica_claim($1, $2)";
        for row in self.client.query(claim, &[&self.runtime, &room])? {
            let (task, token): (Uuid, i64) = (row.get(0), row.get(1));
            let start = "SELECT FROM multica_start($1, $2)";
            if unless_refused(self.client.query_one(start, &[&task, &token]))?.is_none() {
                continue;
            }
            let session = row
                .get::<_, Option<String>>(2)
                .unwrap_or_else(|| format!("session-{}", &task.simple().to_string()[..4]));
            let folder = SessionFolder::open(&self.disk, &session)?;
            let pin = "SELECT multica_pin_session($1, $2, $3, $4)";
            let work_dir = folder.path().to_string_lossy();
            let pinned = self.client.query_one(pin, &[&task, &session, &work_dir, &token]);
            if unless_refused(pinned)?.is_some_and(|row| row.get(0)) {
                let work = Work::new(task, Some(token), &row.get(3), folder);
                work.print_if_resumed();
                self.in_flight.push(work);
            }
        }
        Ok(())
    }
}

/// Returns the value of a call, or None if the task was failed, cancelled or claimed again meanwhile. Then this daemon
/// must do nothing for the task.
fn unless_refused<T>(result: Result<T, postgres::Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
