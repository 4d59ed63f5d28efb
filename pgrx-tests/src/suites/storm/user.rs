//! Users of the storm, and the sweepers among them: any call at any moment.

use std::time::Duration;

use anyhow::Result;

use super::Actor;

/// One row of a table at random.
fn any(table: &str) -> String {
    format!("(SELECT x.id FROM {table} AS x ORDER BY random() LIMIT 1)")
}

/// One task at random, of the latest ones.
fn task(condition: &str) -> String {
    format!(
        "(SELECT x.id FROM (SELECT * FROM agent_task_queue ORDER BY created_at DESC LIMIT 60) AS x WHERE {condition}
          ORDER BY random() LIMIT 1)"
    )
}

/// The first two sweep, the others do whatever comes to their minds.
pub fn live(actor: &mut Actor, number: usize) -> Result<()> {
    let seed = actor.rng.f64();
    actor
        .client
        .batch_execute(&format!("SELECT setseed({seed})"))?;
    while !actor.is_over() {
        if number < 2 {
            actor.run("SELECT FROM multica_sweep()")?;
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        let sql = wish(actor);
        actor.run(&sql)?;
        actor.pause(15);
    }
    Ok(())
}

fn wish(actor: &mut Actor) -> String {
    let (issue, agent, chat) = (any("issue"), any("agent"), any("chat_session"));
    // The id that an enqueue returns is written down in its own transaction: both commit, or neither.
    let returned = |call: String| format!("INSERT INTO returned SELECT r.task_id FROM {call} AS r");
    match actor.rng.u32(0..100) {
        0..=24 => returned(format!("multica_enqueue_issue({issue})")),
        25..=31 => returned(format!("multica_enqueue_mention({issue}, {agent})")),
        32..=43 => returned(format!("multica_enqueue_chat({chat})")),
        44..=48 => returned(format!("multica_enqueue({agent}, max_attempts => 3)")),
        49..=52 => returned(format!("multica_enqueue_autopilot({})", any("autopilot_run"))),
        53..=59 => format!("INSERT INTO returned SELECT r.id FROM multica_rerun({issue}) AS r"),
        60..=63 => format!("INSERT INTO returned SELECT r.id FROM multica_retry({}) AS r", task("x.status = 'failed'")),
        64..=66 => {
            let failed = "SELECT id FROM agent_task_queue WHERE status = 'failed' ORDER BY random() LIMIT 5";
            format!("SELECT FROM multica_handle_failed_tasks(ARRAY({failed}))")
        }
        67..=72 => format!("SELECT FROM multica_cancel({})", task("x.status NOT IN ('completed', 'failed')")),
        73..=75 => format!("SELECT FROM multica_cancel_issue_tasks({issue})"),
        76 => format!("SELECT FROM multica_cancel_issue_tasks({issue}, {agent})"),
        77..=79 => {
            // The agent comes first: its row is the mutex of everything about its tasks.
            format!(
                "CREATE TEMP TABLE chosen ON COMMIT DROP AS SELECT {agent} AS id;
                 UPDATE agent SET archived_at = now() WHERE id = (SELECT id FROM chosen);
                 SELECT FROM chosen AS c, multica_cancel_agent_tasks(c.id)"
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
