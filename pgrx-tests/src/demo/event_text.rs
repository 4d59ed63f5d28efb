//! Events as text.

use std::collections::HashMap;
use std::time::SystemTime;

use anyhow::Result;
use postgres::Client;
use serde_json::Value;
use uuid::Uuid;

const NAMES: &str = "SELECT id, daemon_id, last_seen_at FROM agent_runtime \
                     UNION ALL SELECT id, name, NULL FROM agent \
                     UNION ALL SELECT id, 'ACME-' || number, NULL FROM issue";

struct Name {
    text: String,
    seen: Option<SystemTime>,
}

/// The names of machines, agents and issues.
#[derive(Default)]
pub struct Names {
    /// Names of rows that were deleted since are kept, because events still refer to a merged runtime.
    by_id: HashMap<Uuid, Name>,
}

impl Names {
    /// Reads the names again.
    pub fn refresh(&mut self, client: &mut Client) -> Result<()> {
        for row in client.query(NAMES, &[])? {
            let text = row.get::<_, Option<String>>(1).unwrap_or_default();
            self.by_id.insert(row.get(0), Name { text, seen: row.get(2) });
        }
        Ok(())
    }

    /// The issue of an event.
    pub fn issue(&self, payload: &Value) -> Option<String> {
        self.find(&payload["issue_id"]).map(|name| name.text.clone())
    }

    /// What an event reports; None for what follows from other lines. Claims and starts are printed by daemons.
    pub fn text(&self, at: SystemTime, kind: &str, payload: &Value) -> Option<String> {
        let text = |key: &str| payload[key].as_str().unwrap_or_default().to_string();
        let name = |key: &str| self.name(&payload[key]);
        let issue = || name("issue_id");
        let attempt = &payload["attempt"];
        Some(match kind {
            "daemon:register" => return self.registration(at, payload),
            "task:queued" => format!(
                "{}: attempt {attempt} of {} is queued on {}",
                issue(),
                payload["max_attempts"],
                name("runtime_id")
            ),
            "task:progress" => {
                let progress = &payload["progress"];
                format!("{}: progress, step {} of {}", issue(), progress["step"], progress["of"])
            }
            "task:failed" => format!(
                "{}: attempt {attempt} of {} has failed: {} ({})",
                issue(),
                payload["max_attempts"],
                text("error"),
                text("failure_reason")
            ),
            "task:resumed" => format!("{}: {} goes on with its run, as attempt {attempt}", issue(), name("runtime_id")),
            "task:completed" => format!("{}: attempt {attempt} is completed, and the issue is done", issue()),
            // The daemons of the demo set an issue done when they complete its task.
            "issue:updated" if payload["issue"]["status"] != "done" => format!(
                "{}: the issue is {}, and was {}",
                self.name(&payload["issue"]["id"]),
                payload["issue"]["status"].as_str().unwrap_or_default(),
                text("prev_status")
            ),
            _ => return None,
        })
    }

    fn registration(&self, at: SystemTime, payload: &Value) -> Option<String> {
        let ids = payload["runtime_ids"].as_array().cloned().unwrap_or_default();
        let lines: Vec<String> = ids
            .iter()
            .map(|id| {
                let machine = self.name(id);
                match payload["action"].as_str().unwrap_or_default() {
                    "stale_sweep" => {
                        let seen = self.find(id).and_then(|name| name.seen);
                        let silence = seen.and_then(|seen| at.duration_since(seen).ok()).unwrap_or_default();
                        format!("{machine} is offline: it was silent for {:.1} s", silence.as_secs_f64())
                    }
                    "online" => format!("{machine} is online again"),
                    "register" => {
                        let runtime = &payload["runtimes"][0];
                        let of = match runtime["legacy_daemon_id"].as_str() {
                            Some(before) => format!(", and gets the agents and tasks of {before}"),
                            None => String::new(),
                        };
                        format!("{machine} is registered{of}")
                    }
                    action => format!("{machine}: {action}"),
                }
            })
            .collect();
        if lines.is_empty() { None } else { Some(lines.join("\n")) }
    }

    fn find(&self, id: &Value) -> Option<&Name> {
        self.by_id.get(&id.as_str()?.parse().ok()?)
    }

    fn name(&self, id: &Value) -> String {
        self.find(id).map_or_else(|| id.to_string(), |name| name.text.clone())
    }
}
