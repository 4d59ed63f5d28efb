//! Claims beside the server's own claim, redelivery and promotion. Stand-ins do what the server's statements do.

use anyhow::{Result, ensure};
use postgres::{Client, SimpleQueryMessage};

use super::{CLAIM, OF_ISSUE, expect_claim, has, of_task, queue, rested};
use crate::context::Context;
use crate::database::Database;
use crate::suites::cases::on_databases;
use crate::suites::support::{expect, expect_state, start, value};

/// The server's claim: it locks the agent, counts what is in flight, and takes the best task.
const SERVER_CLAIMS: &str = "SELECT FROM agent WHERE id = md5('agent x')::uuid FOR UPDATE;
    UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = now() WHERE id = (
        SELECT t.id FROM agent_task_queue AS t
        WHERE t.agent_id = md5('agent x')::uuid AND t.runtime_id = md5('runtime x')::uuid AND t.status = 'queued'
            AND (
                SELECT count(*) FROM agent_task_queue AS o
                WHERE o.agent_id = t.agent_id AND o.status IN ('dispatched', 'running', 'waiting_local_directory')
            ) < (SELECT a.max_concurrent_tasks FROM agent AS a WHERE a.id = t.agent_id)
        ORDER BY t.priority DESC, t.created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )";

/// The server's redelivery of a lost claim, without a lock on the agent.
fn server_redelivers(client: &mut Client) -> Result<String> {
    let (set, is_over) = match has(client, "lease")? {
        true => (
            ", prepare_lease_expires_at = now() + interval '45 seconds'",
            "AND (prepare_lease_expires_at IS NULL OR prepare_lease_expires_at < now())",
        ),
        false => ("", ""),
    };
    Ok(format!(
        "UPDATE agent_task_queue SET dispatched_at = now(){set} WHERE id = (
             SELECT id FROM agent_task_queue WHERE runtime_id = md5('runtime x')::uuid AND status = 'dispatched'
                 AND started_at IS NULL AND dispatched_at < now() - interval '90 seconds' {is_over}
             ORDER BY priority DESC, dispatched_at LIMIT 1 FOR UPDATE SKIP LOCKED
         )"
    ))
}

const IN_FLIGHT: &str =
    "SELECT count(*) FROM agent_task_queue WHERE agent_id = md5('agent x')::uuid AND status = 'dispatched'";

pub fn one_place_is_taken_by_one_of_two_claims(context: &Context) -> Result<()> {
    on_databases(context, &[], |database, client| {
        rested(context, client)?;
        client.batch_execute("UPDATE agent SET max_concurrent_tasks = 1 WHERE id = md5('agent x')::uuid")?;
        queue(client, "one", OF_ISSUE)?;
        queue(client, "two", "")?;
        let ours = format!("SELECT FROM {CLAIM}");
        for (first, second) in [(SERVER_CLAIMS, ours.as_str()), (ours.as_str(), SERVER_CLAIMS)] {
            client.batch_execute(&format!("BEGIN; {first}"))?;
            let other = start(database, second)?;
            other.wait_until_blocked(&mut database.connect()?)?;
            client.batch_execute("COMMIT")?;
            other.finish()?;
            expect(client, IN_FLIGHT, "1")?;
            client.batch_execute(
                "UPDATE agent_task_queue SET status = 'queued', dispatched_at = NULL
                 WHERE agent_id = md5('agent x')::uuid AND status = 'dispatched'",
            )?;
        }
        Ok(())
    })
}

/// Makes a task that the runtime claimed long ago and never started.
fn lose(client: &mut Client) -> Result<()> {
    queue(client, "one", &format!("{OF_ISSUE}, status = 'dispatched', dispatched_at = now() - interval '95 seconds'"))
}

/// Returns the token of the last claim of the task, of either side.
fn token(client: &mut Client) -> Result<String> {
    value(client, &of_task("one", "(extract(epoch FROM dispatched_at) * 1000000)::bigint"))
}

pub fn lost_claim_is_redelivered_by_one_of_two(context: &Context) -> Result<()> {
    on_databases(context, &[], |database, client| {
        rested(context, client)?;
        lose(client)?;
        let lost = token(client)?;
        let starts = |token: &str| format!("SELECT FROM multica_start(md5('one')::uuid, {token})");
        let redelivery = server_redelivers(client)?;
        // The server is first. Our claim waits for the task, and then leaves it.
        let mut server = database.connect()?;
        server.batch_execute(&format!("BEGIN; {redelivery}"))?;
        let ours = start(database, &format!("DO $$ BEGIN ASSERT (SELECT count(*) = 0 FROM {CLAIM}); END $$"))?;
        ours.wait_until_blocked(client)?;
        server.batch_execute("COMMIT")?;
        ours.finish()?;
        expect_state(client, &starts(&lost), "55000")?;
        // Our claim is first. The server passes over the task, and finds nothing afterwards.
        client.batch_execute(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '95 seconds' WHERE id = md5('one')::uuid",
        )?;
        if has(client, "lease")? {
            client.batch_execute(
                "UPDATE agent_task_queue SET prepare_lease_expires_at = NULL WHERE id = md5('one')::uuid",
            )?;
        }
        let of_server = token(client)?;
        client.batch_execute("BEGIN")?;
        expect_claim(client, "one")?;
        let ours = token(client)?;
        server.batch_execute(&redelivery)?;
        client.batch_execute("COMMIT")?;
        server.batch_execute(&redelivery)?;
        ensure!(token(client)? == ours, "the server has delivered the task too");
        expect_state(client, &starts(&of_server), "55000")?;
        client.batch_execute(&starts(&ours))?;
        expect_state(client, &starts(&of_server), "55000")
    })
}

/// The server completes its answer to a claim only if the time of the claim is the same still.
pub fn finalization_fails_after_a_redelivery(context: &Context) -> Result<()> {
    on_databases(context, &["lease"], |database, client| {
        rested(context, client)?;
        lose(client)?;
        let finalizes = |token: &str| {
            format!(
                "UPDATE agent_task_queue SET status = status WHERE id = md5('one')::uuid AND status = 'dispatched' AND started_at IS NULL
                     AND (extract(epoch FROM dispatched_at) * 1000000)::bigint = {token}"
            )
        };
        let finalize = finalizes(&token(client)?);
        let lease = |lease: &str| {
            format!("UPDATE agent_task_queue SET prepare_lease_expires_at = {lease} WHERE id = md5('one')::uuid")
        };
        let mut server = database.connect()?;
        client.batch_execute(&lease("now() + interval '1 minute'"))?;
        expect_claim(client, "")?;
        ensure!(server.execute(&finalize, &[])? == 1, "the server cannot complete its answer");
        client.batch_execute(&lease("now() - interval '1 minute'"))?;
        expect_claim(client, "one")?;
        ensure!(server.execute(&finalize, &[])? == 0, "the server completes its answer to a claim that was repeated");
        // The claim that repeats it has not committed yet.
        client.batch_execute(
            "UPDATE agent_task_queue SET dispatched_at = now() - interval '95 seconds', prepare_lease_expires_at = NULL
             WHERE id = md5('one')::uuid",
        )?;
        let finalize = finalizes(&token(client)?);
        client.batch_execute("BEGIN")?;
        expect_claim(client, "one")?;
        let late = start(database, &finalize)?;
        late.wait_until_blocked(&mut server)?;
        client.batch_execute("COMMIT")?;
        let changed = late.finish()?;
        ensure!(matches!(changed[..], [SimpleQueryMessage::CommandComplete(0)]), "the server completes its answer");
        // Nothing is started twice.
        let token = token(client)?;
        expect(client, &format!("SELECT applied FROM multica_start(md5('one')::uuid, {token})"), "t")?;
        ensure!(server.execute(&finalize, &[])? == 0, "the server completes its answer for a running task");
        Ok(())
    })
}

const PENDING: &str = "SELECT count(*) FROM agent_task_queue
    WHERE issue_id = md5('issue x')::uuid AND status IN ('queued', 'dispatched')";

fn defer(client: &mut Client, label: &str) -> Result<()> {
    queue(client, label, &format!("{OF_ISSUE}, status = 'deferred', fire_at = now() - interval '1 second'"))
}

/// The claims of a daemon that was told of no waiting.
fn claim_without_waiting(database: &Database) -> Result<()> {
    let mut client = database.connect()?;
    client.batch_execute("SET lock_timeout = '2s'")?;
    Ok(client.batch_execute(&format!("SELECT FROM {CLAIM}"))?)
}

pub fn pair_is_promoted_by_one_of_two(context: &Context) -> Result<()> {
    on_databases(context, &["deferred"], |database, client| {
        rested(context, client)?;
        defer(client, "one")?;
        defer(client, "two")?;
        let mut server = database.connect()?;
        let promote =
            "UPDATE agent_task_queue AS t SET status = 'queued' WHERE id = md5('two')::uuid AND status = 'deferred'
             AND NOT EXISTS (SELECT FROM agent_task_queue AS o WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id
                 AND o.status IN ('queued', 'dispatched'))";
        server.batch_execute(&format!("BEGIN; {promote}"))?;
        claim_without_waiting(database)?;
        server.batch_execute("COMMIT")?;
        expect(client, PENDING, "1")?;
        expect(client, &of_task("one", "status"), "deferred")?;
        // Our claim is first: the server waits for the slot, and its statement then changes nothing or is refused.
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'deferred', dispatched_at = NULL WHERE id = md5('two')::uuid",
        )?;
        client.batch_execute("BEGIN")?;
        expect_claim(client, "one")?;
        let other = start(database, promote)?;
        other.wait_until_blocked(&mut database.connect()?)?;
        client.batch_execute("COMMIT")?;
        let _ = other.finish();
        expect(client, PENDING, "1")?;
        Ok(())
    })
}

/// The server has inserted the pending task of the pair and has not committed.
pub fn uncommitted_enqueue_stops_no_claim(context: &Context) -> Result<()> {
    on_databases(context, &["deferred"], |database, client| {
        rested(context, client)?;
        defer(client, "one")?;
        let mut server = database.connect()?;
        server.batch_execute(
            "BEGIN; INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id)
             VALUES (md5('two')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('issue x')::uuid)",
        )?;
        claim_without_waiting(database)?;
        expect(client, &of_task("one", "status"), "deferred")?;
        server.batch_execute("COMMIT")?;
        expect_claim(client, "two")?;
        expect(client, &of_task("one", "status"), "deferred")?;
        expect(client, PENDING, "1")
    })
}
