//! A server merges or deletes a runtime while a call fails a task and queues its retry there, or claims one. The
//! statements of the server are stand-ins with its order of locks.

use anyhow::{Result, ensure};
use postgres::{Client, SimpleQueryMessage};

use super::Suite;
use super::support::{expect, expect_state, start};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    task_moves_with_merge_of_server,
    retry_ends_with_runtime_that_server_deletes,
    claimed_task_moves_with_merge_of_server,
];

/// The oldest generation in which the server unbinds agents, and the newest one.
const GENERATIONS: [&str; 2] = ["251", "397"];

const LOCK_FOR_MERGE: &str = "BEGIN;
    SELECT FROM workspace WHERE id = md5('workspace 1')::uuid FOR KEY SHARE;
    SELECT FROM agent_runtime WHERE id IN (md5('runtime offline')::uuid, md5('runtime online')::uuid) ORDER BY id FOR UPDATE";

const MERGE: &str = "
    UPDATE agent_task_queue SET runtime_id = md5('runtime online')::uuid WHERE runtime_id = md5('runtime offline')::uuid;
    UPDATE agent SET runtime_id = md5('runtime online')::uuid WHERE runtime_id = md5('runtime offline')::uuid;
    DELETE FROM agent_runtime WHERE id = md5('runtime offline')::uuid;
    COMMIT";

const LOCK_FOR_DELETE: &str = "BEGIN;
    SELECT FROM agent_runtime WHERE id = md5('runtime offline')::uuid FOR UPDATE;
    SELECT FROM agent WHERE runtime_id = md5('runtime offline')::uuid ORDER BY id FOR UPDATE";

const DELETE: &str = "
    UPDATE agent SET runtime_id = NULL, updated_at = now() WHERE runtime_id = md5('runtime offline')::uuid;
    UPDATE agent_task_queue SET status = 'cancelled', completed_at = now()
    WHERE (runtime_id = md5('runtime offline')::uuid OR agent_id = md5('agent sleeper')::uuid)
        AND status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred');
    UPDATE agent_task_queue SET runtime_id = NULL
    WHERE runtime_id = md5('runtime offline')::uuid AND completed_at IS NOT NULL;
    DELETE FROM agent_runtime WHERE id = md5('runtime offline')::uuid;
    COMMIT";

/// A task of the agent runs on runtime `running_on`, and the agent is bound to runtime `offline`. The server's statements
/// come before the call, and then after it. Each time, the query returns the same rows, and no task is lost.
fn in_both_orders(
    context: &Context,
    running_on: &str,
    (lock, work): (&str, &str),
    query: &str,
    (server_first, call_first): (&str, &str),
) -> Result<()> {
    let recover = format!("SELECT orphaned FROM multica_recover_orphans(md5('runtime {running_on}')::uuid)");
    let prepare = format!(
        "UPDATE agent_task_queue SET completed_at = created_at
         WHERE completed_at IS NULL AND status IN ('completed', 'failed', 'cancelled');
         DELETE FROM agent_task_queue WHERE agent_id = md5('agent sleeper')::uuid AND status = 'queued';
         UPDATE agent_task_queue SET runtime_id = md5('runtime {running_on}')::uuid
         WHERE id = md5('task running offline')::uuid"
    );
    for generation in GENERATIONS {
        let database = context.installed_generation(generation)?;
        let (mut server, mut observer): (Client, Client) = (database.connect()?, database.connect()?);
        server.batch_execute(&prepare)?;
        server.batch_execute(lock)?;
        let call = start(&database, &recover)?;
        call.wait_until_blocked(&mut observer)?;
        server.batch_execute(work)?;
        call.finish()?;
        expect(&mut observer, query, server_first)?;

        let database = context.installed_generation(generation)?;
        let (mut caller, mut observer): (Client, Client) = (database.connect()?, database.connect()?);
        caller.batch_execute(&prepare)?;
        caller.batch_execute(&format!("BEGIN; {recover}"))?;
        let server = start(&database, &format!("{lock}; {work}"))?;
        server.wait_until_blocked(&mut observer)?;
        caller.batch_execute("COMMIT")?;
        server.finish()?;
        expect(&mut observer, query, call_first)?;
    }
    Ok(())
}

/// The task and its retry, which is queued on the runtime that is merged, move along.
fn task_moves_with_merge_of_server(context: &Context) -> Result<()> {
    let query = "SELECT t.status, r.name FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
                 WHERE md5('task running offline')::uuid IN (t.id, t.parent_task_id) ORDER BY t.created_at, t.attempt";
    in_both_orders(
        context,
        "offline",
        (LOCK_FOR_MERGE, MERGE),
        query,
        ("running online", "failed online\nqueued online"),
    )
}

/// The task runs on another runtime. Its retry is queued on the runtime of the agent, which is deleted, or there is none.
fn retry_ends_with_runtime_that_server_deletes(context: &Context) -> Result<()> {
    let query = "SELECT t.status, t.runtime_id IS NULL FROM agent_task_queue AS t
                 WHERE md5('task running offline')::uuid IN (t.id, t.parent_task_id) ORDER BY t.attempt";
    in_both_orders(context, "silent", (LOCK_FOR_DELETE, DELETE), query, ("cancelled f", "failed f\ncancelled t"))
}

/// The daemon still polls for the runtime that is merged. Its task is claimed and moves along, or it moves and stays queued.
/// If the claim is the first sign of life of the runtime, it waits for the merge, and returns nothing. The next one finds no
/// runtime.
fn claimed_task_moves_with_merge_of_server(context: &Context) -> Result<()> {
    let task = "SELECT t.status, r.name FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
                WHERE t.id = md5('task queued offline')::uuid";
    let claim = "SELECT id = md5('task queued offline')::uuid FROM multica_claim(md5('runtime offline')::uuid)";
    for generation in GENERATIONS {
        for is_silent in [false, true] {
            let prepared = || -> Result<_> {
                let database = context.installed_generation(generation)?;
                let seen = if is_silent { "'offline'" } else { "'online', last_seen_at = now()" };
                database.connect()?.batch_execute(&format!(
                    "UPDATE agent_task_queue SET status = 'cancelled', completed_at = created_at
                     WHERE agent_id = md5('agent sleeper')::uuid AND id <> md5('task queued offline')::uuid AND completed_at IS NULL;
                     UPDATE agent_runtime SET status = {seen} WHERE id = md5('runtime offline')::uuid"
                ))?;
                Ok(database)
            };
            let database = prepared()?;
            let (mut server, mut client): (Client, Client) = (database.connect()?, database.connect()?);
            server.batch_execute(LOCK_FOR_MERGE)?;
            if is_silent {
                let call = start(&database, claim)?;
                call.wait_until_blocked(&mut client)?;
                server.batch_execute(MERGE)?;
                let rows = call.finish()?;
                ensure!(!rows.iter().any(|row| matches!(row, SimpleQueryMessage::Row(_))), "the task is claimed");
                expect_state(&mut client, claim, "P0002")?;
                expect(&mut client, task, "queued online")?;
            } else {
                expect(&mut client, claim, "t")?;
                server.batch_execute(MERGE)?;
                expect(&mut client, task, "dispatched online")?;
            }

            let database = prepared()?;
            let (mut caller, mut client): (Client, Client) = (database.connect()?, database.connect()?);
            caller.batch_execute("BEGIN")?;
            expect(&mut caller, claim, "t")?;
            let server = start(&database, &format!("{LOCK_FOR_MERGE}; {MERGE}"))?;
            server.wait_until_blocked(&mut client)?;
            caller.batch_execute("COMMIT")?;
            server.finish()?;
            expect(&mut client, task, "dispatched online")?;
        }
    }
    Ok(())
}
