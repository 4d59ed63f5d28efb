//! Prints the event log, one line per event.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use postgres::Client;
use serde_json::Value;
use uuid::Uuid;

/// The name under which the demo reads events.
const READER: &str = "demo";
const TAKE: &str = "SELECT to_char(created_at, 'HH24:MI:SS.MS'), type, payload FROM multica_take_events($1)";
const NAMES: &str = "SELECT id, daemon_id FROM agent_runtime \
                     UNION ALL SELECT id, name FROM agent \
                     UNION ALL SELECT id, 'ACME-' || number FROM issue";

/// Prints a line of output of a daemon.
pub fn print_of_daemon(machine: &str, line: &str) {
    println!("  {:<12}  {:<15}  {machine} {line}", "", "");
}

/// Reads events as a named reader and prints them.
pub struct Timeline {
    client: Client,
    names: HashMap<Uuid, String>,
    /// Runtimes whose earlier names were printed.
    renamed: HashSet<String>,
    /// The types of all events read so far, in order.
    pub printed: Vec<String>,
}

impl Timeline {
    /// A reader that starts at the oldest event.
    pub fn new(client: Client) -> Timeline {
        Timeline { client, names: HashMap::new(), renamed: HashSet::new(), printed: Vec::new() }
    }

    /// Prints what the demo itself does.
    pub fn print_action(&self, what: &str) {
        println!("\n> {what}");
    }

    /// Prints the new events.
    pub fn take(&mut self) -> Result<()> {
        let rows = self.client.query(TAKE, &[&READER])?;
        if rows.is_empty() {
            return Ok(());
        }
        // Names of rows that were deleted since are kept, because events still refer to a merged runtime.
        for row in self.client.query(NAMES, &[])? {
            self.names.insert(row.get(0), row.get::<_, Option<String>>(1).unwrap_or_default());
        }
        for row in rows {
            let (at, kind, payload): (String, String, Value) = (row.get(0), row.get(1), row.get(2));
            // The status of an agent changes with each of its tasks, so its events would only repeat the events of the
            // tasks.
            if kind != "agent:status" {
                println!("  {at}  {kind:<15}  {}", self.text(&kind, &payload));
            }
            self.printed.push(kind);
        }
        Ok(())
    }

    fn text(&mut self, kind: &str, payload: &Value) -> String {
        let text = |key: &str| payload[key].as_str().unwrap_or_default().to_string();
        if kind == "daemon:register" {
            return self.registration(payload);
        }
        let name = |key: &str| self.name(&payload[key]);
        match kind {
            "task:failed" => {
                let retry = if payload["retry_task_id"].is_null() { "no attempt is left" } else { "a retry is queued" };
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
            "task:dispatch" => {
                format!("{} is claimed by {}: attempt {}", name("issue_id"), name("runtime_id"), payload["attempt"])
            }
            "task:completed" => {
                format!("{} is completed by {}, in attempt {}", name("issue_id"), name("agent_id"), payload["attempt"])
            }
            "issue:updated" => format!(
                "{} is {} again, and was {}",
                self.name(&payload["issue"]["id"]),
                payload["issue"]["status"].as_str().unwrap_or_default(),
                text("prev_status")
            ),
            _ => payload.to_string(),
        }
    }

    /// The status of a machine has changed. Its earlier name is printed once.
    fn registration(&mut self, payload: &Value) -> String {
        let runtime = &payload["runtimes"][0];
        let before = runtime["legacy_daemon_id"].as_str();
        let before = before.filter(|_| self.renamed.insert(runtime["id"].to_string()));
        let before = before.map_or_else(String::new, |before| format!(", with the agents and tasks of {before}"));
        let action = action(payload["action"].as_str().unwrap_or_default());
        format!("{} {action}{before}", self.machines(payload))
    }

    fn machines(&self, payload: &Value) -> String {
        let listed = |key: &str| payload[key].as_array().cloned().unwrap_or_default();
        let mut machines: Vec<String> = listed("runtime_ids").iter().map(|id| self.name(id)).collect();
        if machines.is_empty() {
            machines = listed("runtimes").iter().map(|runtime| self.name(&runtime["id"])).collect();
        }
        if machines.is_empty() { "a machine".into() } else { machines.join(", ") }
    }

    fn name(&self, id: &Value) -> String {
        let id = id.as_str().unwrap_or_default();
        id.parse().ok().and_then(|id: Uuid| self.names.get(&id)).cloned().unwrap_or_else(|| id.to_string())
    }
}

fn action(action: &str) -> &str {
    match action {
        "stale_sweep" => "is offline: its heartbeats stopped",
        "deregister" => "is offline: its daemon deregistered",
        "online" => "is online again",
        "runtime_gc" => "was deleted: it was offline for a long time",
        "delete" => "was deleted",
        _ => "has registered",
    }
}
