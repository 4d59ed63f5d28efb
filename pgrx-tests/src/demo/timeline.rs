//! The event log as a person would tell it: one line an event.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::Result;
use postgres::Client;
use serde_json::Value;
use uuid::Uuid;

/// The name under which the demo reads events.
const READER: &str = "demo";
const TAKE: &str =
    "SELECT to_char(created_at, 'HH24:MI:SS.MS'), type, payload FROM multica_take_events($1)";
const NAMES: &str = "SELECT id, daemon_id FROM agent_runtime \
                     UNION ALL SELECT id, name FROM agent \
                     UNION ALL SELECT id, 'ACME-' || number FROM issue";

/// One event as it was read.
pub struct Event {
    /// Its type, `task:failed` for instance.
    pub kind: String,
    /// Its payload.
    pub payload: Value,
}

/// Reads events as a named reader and prints them.
pub struct Timeline {
    client: Client,
    names: HashMap<Uuid, String>,
    /// Everything read so far, in order.
    pub events: Vec<Event>,
}

impl Timeline {
    /// A reader that begins with the oldest event.
    pub fn new(client: Client) -> Timeline {
        Timeline {
            client,
            names: HashMap::new(),
            events: Vec::new(),
        }
    }

    /// Prints what the demo itself does.
    pub fn act(&self, what: &str) {
        println!("\n> {what}");
    }

    /// Prints every event until `done` says that all that was awaited is there, or the limit has passed.
    pub fn until(
        &mut self,
        what: &str,
        limit: std::time::Duration,
        done: impl Fn(&[Event]) -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            self.take()?;
            if done(&self.events) {
                return Ok(());
            }
            if started.elapsed() > limit {
                anyhow::bail!("no event within {limit:?}: {what}");
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    fn take(&mut self) -> Result<()> {
        let rows = self.client.query(TAKE, &[&READER])?;
        if rows.is_empty() {
            return Ok(());
        }
        // Names of rows that are gone meanwhile are kept: a merged runtime is still spoken of.
        for row in self.client.query(NAMES, &[])? {
            self.names.insert(
                row.get(0),
                row.get::<_, Option<String>>(1).unwrap_or_default(),
            );
        }
        for row in rows {
            let (at, kind, payload): (String, String, Value) = (row.get(0), row.get(1), row.get(2));
            println!("  {at}  {:<15}  {}", kind, self.words(&kind, &payload));
            self.events.push(Event { kind, payload });
        }
        Ok(())
    }

    fn words(&self, kind: &str, payload: &Value) -> String {
        let text = |key: &str| payload[key].as_str().unwrap_or_default().to_string();
        let name = |key: &str| self.name(&payload[key]);
        match kind {
            "daemon:register" => {
                let before = payload["runtimes"][0]["legacy_daemon_id"].as_str();
                let before = before.map_or_else(String::new, |before| {
                    format!(", with the agents and tasks of {before}")
                });
                format!(
                    "{} {}{before}",
                    self.machines(payload),
                    action(&text("action"))
                )
            }
            "task:failed" => {
                let retry = if payload["retry_task_id"].is_null() {
                    "no attempt is left"
                } else {
                    "a retry is queued"
                };
                format!(
                    "{} on {}: attempt {} failed ({}), {retry}",
                    name("issue_id"),
                    name("runtime_id"),
                    payload["attempt"],
                    text("failure_reason")
                )
            }
            "task:queued" => format!(
                "{} for {}: attempt {} of {} queued",
                name("issue_id"),
                name("agent_id"),
                payload["attempt"],
                payload["max_attempts"]
            ),
            "issue:updated" => format!(
                "{} is {} again, it was {}",
                self.name(&payload["issue"]["id"]),
                payload["issue"]["status"].as_str().unwrap_or_default(),
                text("prev_status")
            ),
            "agent:status" => format!(
                "{} is {}",
                self.name(&payload["agent"]["id"]),
                payload["agent"]["status"].as_str().unwrap_or_default()
            ),
            _ => payload.to_string(),
        }
    }

    fn machines(&self, payload: &Value) -> String {
        let listed = |key: &str| payload[key].as_array().cloned().unwrap_or_default();
        let mut machines: Vec<String> = listed("runtime_ids")
            .iter()
            .map(|id| self.name(id))
            .collect();
        if machines.is_empty() {
            machines = listed("runtimes")
                .iter()
                .map(|runtime| self.name(&runtime["id"]))
                .collect();
        }
        if machines.is_empty() {
            "a machine".into()
        } else {
            machines.join(", ")
        }
    }

    fn name(&self, id: &Value) -> String {
        let id = id.as_str().unwrap_or_default();
        id.parse()
            .ok()
            .and_then(|id: Uuid| self.names.get(&id))
            .cloned()
            .unwrap_or_else(|| id.to_string())
    }
}

fn action(action: &str) -> &str {
    match action {
        "stale_sweep" => "is offline: its heartbeats stopped",
        "deregister" => "is offline: it said goodbye",
        "online" => "is online again",
        "runtime_gc" => "was deleted: offline for long",
        "delete" => "was deleted",
        _ => "has registered",
    }
}
