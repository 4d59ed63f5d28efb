//! A claim sees the changes of its own transaction: those before the call, and those that the call itself causes.

use anyhow::Result;

use super::Suite;
use super::support::{expect, id, team};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    "claim": claim_sees_changes_of_its_transaction,
    claim_sees_changes_of_its_heartbeat_trigger,
];

fn claim_sees_changes_of_its_transaction(context: &Context) -> Result<()> {
    let claimed =
        |arguments: &str| format!("SELECT string_agg(right(id::text, 2), ' ') FROM multica_claim({arguments})");
    let claim = claimed(&id("b1"));
    let many = claimed(&format!("{}, 100", id("b1")));
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let (_database, mut client) = team(context)?;
        client.batch_execute("UPDATE agent SET max_concurrent_tasks = 2")?;
        client.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL {level};
             SELECT task('e1');
             SAVEPOINT s;
             SELECT task('e2');
             UPDATE agent_task_queue SET priority = 4 WHERE right(id::text, 2) = 'e2'"
        ))?;
        expect(&mut client, &claim, "e2")?;
        client.batch_execute("ROLLBACK TO s")?;
        expect(&mut client, &many, "e1")?;
        client.batch_execute("SELECT task('e3'), task('e4')")?;
        expect(&mut client, &many, "e3")?;
        expect(&mut client, &many, "")?;
        client.batch_execute("ROLLBACK")?;
        // One statement enqueues and claims several times, until the agent has max_concurrent_tasks in flight.
        let enqueue_and_claim = format!(
            "SELECT string_agg(right(c.id::text, 2), ' ')
             FROM unnest(ARRAY['e5', 'e6', 'e7']) AS label, task(label) AS task,
                  multica_claim(CASE WHEN task IS NOT NULL THEN {}::uuid END) AS c",
            id("b1")
        );
        client.batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))?;
        expect(&mut client, &enqueue_and_claim, "e5 e6")?;
        client.batch_execute("COMMIT")?;
    }
    Ok(())
}

/// A claim sets its offline runtime online; an application's trigger on that change then pauses an agent. The claim
/// must not return that agent's task.
fn claim_sees_changes_of_its_heartbeat_trigger(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "SELECT task('e1'), task('e2', 'b1', 'c2');
         CREATE FUNCTION pause_ada() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             UPDATE agent SET max_concurrent_tasks = 0 WHERE name = 'Ada';
             RETURN NULL;
         END $$;
         CREATE TRIGGER pause AFTER UPDATE ON agent_runtime FOR EACH ROW
         WHEN (OLD.status = 'offline' AND NEW.status = 'online') EXECUTE FUNCTION pause_ada();
         UPDATE agent_runtime SET status = 'offline'",
    )?;
    let claim = format!("SELECT string_agg(right(id::text, 2), ' ') FROM multica_claim({}, 2)", id("b1"));
    expect(&mut client, &claim, "e2")?;
    expect(
        &mut client,
        "SELECT right(id::text, 2), status FROM agent_task_queue ORDER BY 1",
        "e1 queued\ne2 dispatched",
    )
}
