//! A machine of the storm: registers, claims, works, and dies without a word.

use anyhow::{Result, ensure};
use postgres::Row;
use uuid::Uuid;

use super::Actor;

/// A run of this daemon process.
struct Run {
    task: Uuid,
    issue: Option<Uuid>,
    token: i64,
    started: bool,
}

struct Machine {
    number: usize,
    /// How often it was given a new name.
    generation: usize,
    runtime: Uuid,
    workspace: Uuid,
    runs: Vec<Run>,
}

/// Processes follow each other on one machine; sometimes it has a new name.
pub fn live(actor: &mut Actor, number: usize) -> Result<()> {
    let mut machine = Machine {
        number,
        generation: 0,
        runtime: Uuid::nil(),
        workspace: Uuid::nil(),
        runs: Vec::new(),
    };
    while !actor.is_over() {
        machine.register(actor)?;
        while !actor.is_over() && !actor.chance(2) {
            machine.step(actor)?;
            actor.pause(20);
        }
        machine.die(actor)?;
    }
    Ok(())
}

impl Machine {
    fn name(&self, generation: usize) -> String {
        format!("machine-{}-{generation}", self.number)
    }

    /// A new process gives up what the one before left, unless agents have outlived it.
    fn register(&mut self, actor: &mut Actor) -> Result<()> {
        let mut legacy = Vec::new();
        if actor.chance(20) {
            legacy.push(self.name(self.generation));
            self.generation += 1;
        }
        let running: Vec<String> = self.runs.iter().map(|run| run.task.to_string()).collect();
        let registration = serde_json::json!({
            "daemon_id": self.name(self.generation), "legacy_daemon_ids": legacy, "recover": actor.chance(80),
            "runtimes": [{"type": "claude", "running": running}],
        });
        let sql = "SELECT r.id, r.workspace_id FROM workspace AS w, multica_register(w.id, $1) AS r WHERE w.slug = 'fleet'";
        let row = actor.client.query_one(sql, &[&registration])?;
        (self.runtime, self.workspace) = (row.get(0), row.get(1));
        Ok(())
    }

    fn die(&mut self, actor: &mut Actor) -> Result<()> {
        if actor.chance(30) {
            actor.run(&format!(
                "SELECT FROM multica_deregister(ARRAY['{}'::uuid])",
                self.runtime
            ))?;
        }
        actor.reconnect()?;
        if actor.chance(80) {
            self.runs.clear();
        }
        actor.pause(2500);
        Ok(())
    }

    fn step(&mut self, actor: &mut Actor) -> Result<()> {
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
        let stop: Option<Vec<Uuid>> = actor
            .client
            .query_one(beat, &[&self.runtime, &running])?
            .get(0);
        let stop = stop.unwrap_or_default();
        self.runs.retain(|run| !stop.contains(&run.task));
        Ok(())
    }

    fn claim(&mut self, actor: &mut Actor) -> Result<()> {
        let most = actor.rng.i32(1..4);
        let claim = "SELECT id, issue_id, claim_token, runtime_id, workspace_id, status FROM multica_claim($1, $2)";
        let rows: Vec<Row> = actor.client.query(claim, &[&self.runtime, &most])?;
        ensure!(
            rows.len() <= most as usize,
            "{} tasks for a claim of {most}",
            rows.len()
        );
        let lost = actor.chance(10);
        for row in rows {
            ensure!(
                row.get::<_, Uuid>(3) == self.runtime && row.get::<_, Uuid>(4) == self.workspace,
                "a claim gives a task of another machine or workspace"
            );
            ensure!(
                row.get::<_, &str>(5) == "dispatched",
                "a claim gives a task that is not dispatched"
            );
            let run = Run {
                task: row.get(0),
                issue: row.get(1),
                token: row.get(2),
                started: false,
            };
            self.runs.retain(|known| known.task != run.task);
            if !lost {
                self.runs.push(run);
            }
        }
        Ok(())
    }

    fn work(&mut self, actor: &mut Actor, at: usize) -> Result<()> {
        let Run {
            task,
            issue,
            token,
            started,
        } = self.runs[at];
        if !started {
            // The application's half goes first: issues are locked before tasks.
            let issue = issue
                .map(|issue| {
                    format!("UPDATE issue SET status = 'in_progress' WHERE id = '{issue}';")
                })
                .unwrap_or_default();
            self.runs[at].started = actor.run(&format!(
                "{issue} SELECT FROM multica_start('{task}', {token})"
            ))?;
            if !self.runs[at].started {
                self.runs.remove(at);
            }
            return Ok(());
        }
        let session = format!("session {}", actor.rng.u32(..));
        let end = match actor.rng.u32(0..10) {
            0..=2 => {
                actor.run(&format!(
                    "SELECT multica_pin_session('{task}', '{session}', '/work', {token})"
                ))?;
                return Ok(());
            }
            3..=6 => {
                format!("multica_complete('{task}', '{{\"output\": 1}}', claim_token => {token})")
            }
            7 => format!("multica_complete('{task}', NULL, '{session}', '/work')"),
            8 => format!("multica_fail('{task}', 'no luck', claim_token => {token})"),
            _ => {
                let reason = [
                    "timeout",
                    "runtime_offline",
                    "runtime_recovery",
                    "agent_error",
                ][actor.rng.usize(0..4)];
                format!("multica_fail('{task}', 'no luck', '{reason}', '{session}')")
            }
        };
        self.runs.remove(at);
        actor.run(&format!("SELECT FROM {end}"))?;
        Ok(())
    }
}
