//! A machine of the storm: registers, claims, works, and dies without a word.

use std::time::Duration;

use anyhow::{Result, ensure};
use postgres::Row;
use uuid::Uuid;

use super::actor::{Actor, Life};
use super::ledger::Promise;

/// A run of this daemon process.
struct Run {
    task: Uuid,
    issue: Option<Uuid>,
    token: i64,
    started: bool,
}

/// Processes follow each other on one machine; sometimes it has a new name.
pub struct Machine {
    number: usize,
    /// How often it was given a new name.
    generation: usize,
    /// Names that it had before, until a registration was answered.
    legacy: Vec<String>,
    registered: bool,
    runtime: Uuid,
    workspace: Uuid,
    runs: Vec<Run>,
}

impl Life for Machine {
    fn step(&mut self, actor: &mut Actor) -> Result<Duration> {
        if !self.registered {
            self.register(actor)?;
        } else if actor.chance(2) {
            self.die(actor)?;
            return Ok(actor.upto(2500));
        } else {
            self.go_on(actor)?;
        }
        Ok(actor.upto(20))
    }
}

impl Machine {
    /// The machine of this number in the fixture, before its first process.
    pub fn new(number: usize) -> Machine {
        Machine {
            number,
            generation: 0,
            legacy: Vec::new(),
            registered: false,
            runtime: Uuid::nil(),
            workspace: Uuid::nil(),
            runs: Vec::new(),
        }
    }

    fn name(&self) -> String {
        format!("machine-{}-{}", self.number, self.generation)
    }

    /// A new process gives up what the one before left, unless agents have outlived it.
    fn register(&mut self, actor: &mut Actor) -> Result<()> {
        if actor.chance(20) {
            self.legacy.push(self.name());
            self.generation += 1;
        }
        let running: Vec<String> = self.runs.iter().map(|run| run.task.to_string()).collect();
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

    fn die(&mut self, actor: &mut Actor) -> Result<()> {
        self.registered = false;
        if actor.chance(80) {
            self.runs.clear();
        }
        if actor.chance(30) {
            let goodbye = format!("SELECT multica_deregister(ARRAY['{}'::uuid])", self.runtime);
            actor.run(&goodbye, Promise::Nothing)?;
        }
        actor.reconnect()
    }

    fn go_on(&mut self, actor: &mut Actor) -> Result<()> {
        match actor.rng.u32(0..10) {
            0..=3 => self.claim(actor),
            4 => self.beat(actor),
            _ if self.runs.is_empty() => self.claim(actor),
            _ => {
                let at = actor.rng.usize(0..self.runs.len());
                self.work(actor, at)
            }
        }
    }

    fn beat(&mut self, actor: &mut Actor) -> Result<()> {
        let running: Vec<Uuid> = self.runs.iter().map(|run| run.task).collect();
        let beat = "SELECT stop_task_ids FROM multica_heartbeat($1, $2)";
        let stop: Option<Vec<Uuid>> = actor.client.query_one(beat, &[&self.runtime, &running])?.get(0);
        let stop = stop.unwrap_or_default();
        self.runs.retain(|run| !stop.contains(&run.task));
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
                "a claim gives a task of another machine or workspace"
            );
            ensure!(row.get::<_, &str>(5) == "dispatched", "a claim gives a task that is not dispatched");
            let run = Run { task: row.get(0), issue: row.get(1), token: row.get(2), started: false };
            self.runs.retain(|known| known.task != run.task);
            if !lost {
                self.runs.push(run);
            }
        }
        Ok(())
    }

    fn work(&mut self, actor: &mut Actor, at: usize) -> Result<()> {
        let Run { task, issue, token, started } = self.runs[at];
        if !started {
            // The application's half goes first: issues are locked before tasks.
            let issue = issue
                .map(|issue| format!("UPDATE issue SET status = 'in_progress' WHERE id = '{issue}';"))
                .unwrap_or_default();
            let start = format!("{issue} SELECT FROM multica_start('{task}', {token})");
            self.runs[at].started = actor.run(&start, Promise::Nothing)?.is_some();
            if !self.runs[at].started {
                self.runs.remove(at);
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
        // An end whose answer got lost is reported again.
        actor.run(&format!("SELECT e.id, e.status FROM {end} AS e WHERE e.applied"), Promise::Ended)?;
        self.runs.remove(at);
        Ok(())
    }
}
