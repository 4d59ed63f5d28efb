//! Users of the storm, who make random calls, and sweepers.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;

use super::actor::{Actor, Behaviour};
use super::ledger::Promise;

/// A random row of a table.
fn any(table: &str) -> String {
    format!("(SELECT x.id FROM {table} AS x ORDER BY random() LIMIT 1)")
}

/// A random task among the latest ones.
fn task(condition: &str) -> String {
    format!(
        "(SELECT x.id FROM (SELECT * FROM agent_task_queue ORDER BY created_at DESC LIMIT 60) AS x WHERE {condition}
          ORDER BY random() LIMIT 1)"
    )
}

/// The first two users sweep, the others make random calls.
pub struct User {
    sweeps: bool,
}

impl User {
    /// The user with this number.
    pub fn new(number: usize) -> User {
        User { sweeps: number < 2 }
    }
}

impl Behaviour for User {
    fn connected(&mut self, actor: &mut Actor) -> Result<()> {
        let seed = actor.rng.f64();
        Ok(actor.client.batch_execute(&format!("SELECT setseed({seed})"))?)
    }

    fn step(&mut self, actor: &mut Actor) -> Result<Duration> {
        if self.sweeps {
            actor.run("SELECT FROM multica_sweep()", Promise::Nothing)?;
            return Ok(Duration::from_millis(100));
        }
        let (sql, promise) = random_call(&mut actor.rng);
        actor.run(&sql, promise)?;
        Ok(actor.upto(15))
    }
}

/// Returns random statements of one transaction, and what its commit promises.
pub fn random_call(rng: &mut Rng) -> (String, Promise) {
    let number = rng.u32(0..100);
    let promise = match number {
        0..=63 => Promise::Exists,
        67..=76 => Promise::Ended,
        _ => Promise::Nothing,
    };
    (statements(number), promise)
}

fn statements(number: u32) -> String {
    let (issue, agent, chat) = (any("issue"), any("agent"), any("chat_session"));
    // The id that an enqueue returns is recorded in the same transaction, so that both commit or neither.
    let returned =
        |column: &str, call: String| format!("INSERT INTO returned SELECT r.{column} FROM {call} AS r RETURNING task");
    let cancelled = |call: String| format!("SELECT c.id, c.status FROM {call} AS c");
    match number {
        0..=24 => returned("task_id", format!("multica_enqueue_issue({issue})")),
        25..=31 => returned("task_id", format!("multica_enqueue_mention({issue}, {agent})")),
        32..=43 => returned("task_id", format!("multica_enqueue_chat({chat})")),
        44..=48 => returned("task_id", format!("multica_enqueue({agent}, max_attempts => 3)")),
        49..=52 => returned("task_id", format!("multica_enqueue_autopilot({})", any("autopilot_run"))),
        53..=59 => returned("id", format!("multica_rerun({issue})")),
        60..=63 => returned("id", format!("multica_retry({})", task("x.status = 'failed'"))),
        64..=66 => {
            let failed = "SELECT id FROM agent_task_queue WHERE status = 'failed' ORDER BY random() LIMIT 5";
            format!("SELECT FROM multica_handle_failed_tasks(ARRAY({failed}))")
        }
        67..=72 => {
            let active = task("x.status NOT IN ('completed', 'failed')");
            cancelled(format!("multica_cancel({active})")) + " WHERE c.applied"
        },
        73..=75 => cancelled(format!("multica_cancel_issue_tasks({issue})")),
        76 => cancelled(format!("multica_cancel_issue_tasks({issue}, {agent})")),
        77..=79 => {
            // The call locks the chat sessions before the agent, and then keeps other sessions from queuing a task.
            format!(
                "CREATE TEMP TABLE chosen ON COMMIT DROP AS SELECT {agent} AS id;
                 SELECT FROM chosen AS c, multica_cancel_agent_tasks(c.id);
                 UPDATE agent SET archived_at = now() WHERE id = (SELECT id FROM chosen)"
            )
        }
        80..=83 => "UPDATE agent SET archived_at = NULL
             WHERE id = (SELECT id FROM agent WHERE archived_at IS NOT NULL ORDER BY random() LIMIT 1)"
            .to_string(),
        84..=86 => format!(
            "UPDATE agent SET runtime_id = r.id
             FROM (SELECT id FROM agent_runtime WHERE status = 'online' ORDER BY random() LIMIT 1) AS r WHERE agent.id = {agent}"
        ),
        87..=89 => format!("UPDATE issue SET assignee_id = {agent} WHERE id = {issue} AND title <> 'foreign'"),
        90..=91 => format!("UPDATE issue SET status = 'in_review' WHERE id = {issue}"),
        92 => format!("SELECT FROM multica_recover_orphans({})", any("agent_runtime")),
        93 => format!("SELECT FROM multica_set_runtime_offline({})", any("agent_runtime")),
        94 => "SELECT FROM multica_fail_tasks_for_offline_runtimes(); SELECT FROM multica_fail_stale_tasks(2, 3)"
            .to_string(),
        95 => format!("SELECT multica_reconcile_agent({agent}); SELECT FROM multica_status(); SELECT FROM multica_metrics()"),
        96 => format!("SELECT FROM multica_list_agent_tasks({agent}); SELECT multica_has_active_task({issue})"),
        97 => format!(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             SELECT a.id, a.runtime_id, i.id FROM agent AS a, issue AS i WHERE a.id = {agent} AND i.title = 'foreign'
             ON CONFLICT DO NOTHING"
        ),
        _ => format!("SELECT FROM multica_claim({}, 2)", any("agent_runtime")),
    }
}
