//! A machine of the storm: its daemon registers, claims, works, and crashes.

use std::time::Duration;

use anyhow::{Result, ensure};
use postgres::Row;
use uuid::Uuid;

use super::actor::{Actor, Behaviour};
use super::ledger::Promise;

/// A task in flight with this daemon.
struct Work {
    task: Uuid,
    issue: Option<Uuid>,
    token: i64,
    started: bool,
}

/// A machine with one daemon process after another. Sometimes a new process has a new daemon id.
pub struct Machine {
    number: usize,
    /// How many daemon ids it has had before.
    generation: usize,
    /// Daemon ids that it had before and that no registration has merged yet.
    legacy: Vec<String>,
    registered: bool,
    runtime: Uuid,
    workspace: Uuid,
    in_flight: Vec<Work>,
}

impl Behaviour for Machine {
    fn step(&mut self, actor: &mut Actor) -> Result<Duration> {
        if !self.registered {
            self.register(actor)?;
        } else if actor.chance(2) {
            self.crash(actor)?;
            return Ok(actor.upto(2500));
        } else {
            self.work_on(actor)?;
        }
        Ok(actor.upto(20))
    }
}

impl Machine {
    /// The machine with this number, before its first daemon process.
    pub fn new(number: usize) -> Machine {
        Machine {
            number,
            generation: 0,
            legacy: Vec::new(),
            registered: false,
            runtime: Uuid::nil(),
            workspace: Uuid::nil(),
            in_flight: Vec::new(),
        }
    }

    fn name(&self) -> String {
        format!("machine-{}-{}", self.number, self.generation)
    }

    /// Registers a new process. It recovers the tasks of the previous process, except those whose agents are still
    /// running.
    fn register(&mut self, actor: &mut Actor) -> Result<()> {
        if actor.chance(20) {
            self.legacy.push(self.name());
            self.generation += 1;
        }
        let running: Vec<String> = self.in_flight.iter().map(|work| work.task.to_string()).collect();
        let registration = serde_json::json!({
            "daemon_id": self.name(), "legacy_daemon_ids": self.legacy, "recover": actor.chance(80),
            "runtimes": [{"type": "claude", "running": running}],
        });
        let sql =
            "SELECT r.id, r.workspace_id FROM workspace AS w, multica_register(w.id, $1) AS r WHERE w.slug = 'fleet'";
        let row = actor.client.query_one(sql, &[&registration])?;
        (self.runtime, self.workspace) = (row.get(0), row.get(1));
        self.legacy.clear();
        self.registered = true;
        Ok(())
    }

    fn crash(&mut self, actor: &mut Actor) -> Result<()> {
        self.registered = false;
        if actor.chance(80) {
            self.in_flight.clear();
        }
        if actor.chance(30) {
            let deregister = format!("SELECT multica_deregister(ARRAY['{}'::uuid])", self.runtime);
            actor.run(&deregister, Promise::Nothing)?;
        }
        actor.reconnect()
    }

    fn work_on(&mut self, actor: &mut Actor) -> Result<()> {
        match actor.rng.u32(0..10) {
            0..=3 => self.claim(actor),
            4 => self.heartbeat(actor),
            _ if self.in_flight.is_empty() => self.claim(actor),
            _ => {
                let at = actor.rng.usize(0..self.in_flight.len());
                self.work(actor, at)
            }
        }
    }

    fn heartbeat(&mut self, actor: &mut Actor) -> Result<()> {
        let running: Vec<Uuid> = self.in_flight.iter().map(|work| work.task).collect();
        let heartbeat = "SELECT stop_task_ids FROM multica_heartbeat($1, $2)";
        let stop: Option<Vec<Uuid>> = actor.client.query_one(heartbeat, &[&self.runtime, &running])?.get(0);
        let stop = stop.unwrap_or_default();
        self.in_flight.retain(|work| !stop.contains(&work.task));
        Ok(())
    }

    fn claim(&mut self, actor: &mut Actor) -> Result<()> {
        let most = actor.rng.i32(1..4);
        let claim = "SELECT id, issue_id, claim_token, runtime_id, workspace_id, status FROM multica_claim($1, $2)";
        let rows: Vec<Row> = actor.client.query(claim, &[&self.runtime, &most])?;
        ensure!(rows.len() <= most as usize, "{} tasks for a claim of {most}", rows.len());
        let lost = actor.chance(10);
        for row in rows {
            ensure!(
                row.get::<_, Uuid>(3) == self.runtime && row.get::<_, Uuid>(4) == self.workspace,
                "a claim returns a task of another runtime or workspace"
            );
            ensure!(row.get::<_, &str>(5) == "dispatched", "a claim returns a task that is not dispatched");
            let work = Work { task: row.get(0), issue: row.get(1), token: row.get(2), started: false };
            self.in_flight.retain(|known| known.task != work.task);
            if !lost {
                self.in_flight.push(work);
            }
        }
        Ok(())
    }

    fn work(&mut self, actor: &mut Actor, at: usize) -> Result<()> {
        let Work { task, issue, token, started } = self.in_flight[at];
        if !started {
            // The application's statement comes first, because issues are locked before tasks.
            let issue = issue
                .map(|issue| format!("UPDATE issue SET status = 'in_progress' WHERE id = '{issue}';"))
                .unwrap_or_default();
            let start = format!("{issue} SELECT FROM multica_start('{task}', {token})");
            self.in_flight[at].started = actor.run(&start, Promise::Nothing)?.is_some();
            if !self.in_flight[at].started {
                self.in_flight.remove(at);
            }
            return Ok(());
        }
        let session = format!("session {}", actor.rng.u32(..));
        let end = match actor.rng.u32(0..10) {
            0..=2 => {
                let pin = format!("SELECT multica_pin_session('{task}', '{session}', '/work', {token})");
                actor.run(&pin, Promise::Nothing)?;
                return Ok(());
            }
            3..=6 => {
                format!("multica_complete('{task}', '{{\"output\": 1}}', claim_token => {token})")
            }
            7 => format!("multica_complete('{task}', NULL, '{session}', '/work')"),
            8 => format!("multica_fail('{task}', 'no luck', claim_token => {token})"),
            _ => {
                let reason = ["timeout", "runtime_offline", "runtime_recovery", "agent_error"][actor.rng.usize(0..4)];
                format!("multica_fail('{task}', 'no luck', '{reason}', '{session}')")
            }
        };
        // If the answer is lost, the task stays in the list, and the daemon reports its end again.
        actor.run(&format!("SELECT e.id, e.status FROM {end} AS e WHERE e.applied"), Promise::Ended)?;
        self.in_flight.remove(at);
        Ok(())
    }
}
