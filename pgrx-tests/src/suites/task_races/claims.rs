//! Races around a claim.

use anyhow::Result;
use postgres::Client;

use super::expect_atomic_at_every_table;
use crate::context::Context;
use crate::database::Database;
use crate::suites::support::{expect, id, start, team};

/// Makes sixteen concurrent claims on the runtimes in turn. The claims start together, when all of them wait for the
/// lock of an agent.
fn claim_concurrently(database: &Database, client: &mut Client, runtimes: &[&str]) -> Result<()> {
    client.batch_execute("BEGIN; SELECT FROM agent FOR UPDATE")?;
    let mut claims = Vec::new();
    for at in 0..16 {
        claims.push(start(database, &format!("SELECT FROM multica_claim({}, 3)", id(runtimes[at % runtimes.len()])))?);
    }
    let mut observer = database.connect()?;
    for claim in &claims {
        claim.wait_until_blocked(&mut observer)?;
    }
    client.batch_execute("COMMIT")?;
    for claim in claims {
        claim.finish()?;
    }
    Ok(())
}

/// Concurrent claims must not count the same tasks in flight, and together exceed max_concurrent_tasks (W11).
pub fn concurrent_claims_respect_max_concurrent_tasks(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(
        "UPDATE agent SET max_concurrent_tasks = 4;
         INSERT INTO agent_task_queue (agent_id, runtime_id, context)
         SELECT a.id, r.id, '{}' FROM agent AS a, agent_runtime AS r, generate_series(1, 30)
         WHERE a.name = 'Ada' AND r.daemon_id IN ('machine-1', 'machine-2')",
    )?;
    claim_concurrently(&database, &mut client, &["b1", "b2"])?;
    expect(&mut client, "SELECT count(*) FROM agent_task_queue WHERE status = 'dispatched'", "4")
}

/// Concurrent claims must not return two turns of a chat; the earliest turn is the first (W12).
pub fn concurrent_claims_return_one_turn_per_chat(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_task_queue (agent_id, runtime_id, chat_session_id, created_at)
         SELECT a.id, r.id, {}, now() + make_interval(secs => g)
         FROM agent AS a, agent_runtime AS r, generate_series(1, 30) AS g
         WHERE a.name = 'Ada' AND r.daemon_id IN ('machine-1', 'machine-2')",
        id("51")
    ))?;
    claim_concurrently(&database, &mut client, &["b1", "b2"])?;
    expect(
        &mut client,
        "SELECT count(*), min(created_at) = (SELECT min(created_at) FROM agent_task_queue)
         FROM agent_task_queue WHERE status = 'dispatched'",
        "1 t",
    )
}

/// The daemon does not receive the answer of its claim. The task is redelivered, which uses up no attempt (W13).
pub fn redelivery_uses_up_no_attempt(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    // The daemon crashes before it receives the answer; the restarted daemon claims again.
    let mut daemon = database.connect()?;
    daemon.batch_execute(&format!("SELECT FROM multica_claim({})", id("b1")))?;
    drop(daemon);
    let claim = format!("SELECT attempt, status FROM multica_claim({})", id("b1"));
    expect(&mut client, &claim, "")?;
    client.batch_execute("UPDATE agent_task_queue SET dispatched_at = dispatched_at - interval '91 seconds', prepare_lease_expires_at = now()")?;
    expect(&mut client, &claim, "1 dispatched")?;
    // The dispatch timeout counts from the redelivery, not from the first claim.
    expect(&mut client, "SELECT tasks_timed_out FROM multica_sweep()", "0")
}

/// The claim cancels a task of another workspace in its own transaction (W14).
pub fn claim_cancels_foreign_task_in_its_transaction(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT task('e1'); UPDATE agent_task_queue SET issue_id = {}", id("d9")))?;
    let claim = format!("SELECT FROM multica_claim({})", id("b1"));
    expect_atomic_at_every_table(context, &database, &claim, &["agent_task_queue", "multica_event_log"])?;
    expect(&mut client, "SELECT status, dispatched_at IS NULL FROM agent_task_queue", "cancelled t")?;
    expect(&mut client, "SELECT status FROM agent WHERE name = 'Ada'", "idle")
}
