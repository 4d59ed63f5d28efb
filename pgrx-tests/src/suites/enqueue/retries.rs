//! Retries beside the server's own tasks of the same issue and agent. Where the server is refused, it takes the violation
//! of the pending slot for "already pending"; it recognizes the slot by the name of its index.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::{enqueue, expect_task, md5, set_status};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{Running, expect, start, value};

/// The names by which the server knows the pending slot.
const SLOTS: [&str; 2] = ["idx_one_pending_task_per_issue_agent", "idx_one_pending_task_per_issue_agent_v2"];

/// The pending tasks of issue e: whether each is a retry.
const PENDING: &str = "SELECT parent_task_id IS NOT NULL FROM agent_task_queue
    WHERE issue_id = md5('issue e')::uuid AND status IN ('queued', 'dispatched')";

/// The server's new task of issue e, with these further columns and values.
fn insert(columns: &str, values: &str) -> String {
    format!(
        "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id{columns}) VALUES ({}, {}, {}, {}{values})",
        md5("of server"),
        md5("agent e"),
        md5("runtime e"),
        md5("issue e"),
    )
}

/// Starts a task of issue e, or starts it again without what followed.
fn run(client: &mut Client, task: Option<String>) -> Result<String> {
    let task = match task {
        Some(task) => task,
        None => enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?,
    };
    client.batch_execute(&format!(
        "DELETE FROM agent_task_queue WHERE issue_id = {} AND id <> '{task}';
         UPDATE agent_task_queue SET completed_at = NULL, failure_reason = NULL WHERE id = '{task}'",
        md5("issue e")
    ))?;
    set_status(client, &task, "running")?;
    Ok(task)
}

/// Waits for the end of an insert of the server, which must be refused at the pending slot.
fn expect_taken_slot(insert: Running) -> Result<()> {
    let error = insert.finish().err().context("the server has a second pending task")?;
    let error = error.as_db_error().context("an error of the server")?;
    let index = error.constraint().unwrap_or_default();
    ensure!(error.code().code() == "23505" && SLOTS.contains(&index), "{error:?}");
    Ok(())
}

/// A verdict has queued the retry of a failed task and has not committed. The server's enqueue waits for it and is
/// refused; the server's rerun then cancels what is pending once more, and inserts again.
pub fn retry_comes_before_a_task_of_the_server(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, _| {
        let task = run(client, None)?;
        for verdict in [
            format!("multica_recover_orphans({})", md5("runtime e")),
            format!("multica_fail('{task}', 'x', 'timeout')"),
        ] {
            for is_rerun in [false, true] {
                run(client, Some(task.clone()))?;
                let cancel = format!(
                    "UPDATE agent_task_queue SET status = 'cancelled', completed_at = now()
                     WHERE issue_id = {} AND agent_id = {} AND status IN ('queued', 'dispatched')",
                    md5("issue e"),
                    md5("agent e")
                );
                let mut caller = database.connect()?;
                caller.batch_execute(&format!("BEGIN; SELECT FROM {verdict}"))?;
                if is_rerun {
                    client.batch_execute(&cancel)?;
                }
                let late = start(database, &insert("", ""))?;
                late.wait_until_blocked(client)?;
                caller.batch_execute("COMMIT")?;
                expect_taken_slot(late)?;
                expect_task(client, &task, "status", "failed")?;
                expect(client, PENDING, "t")?;
                if is_rerun {
                    client.batch_execute(&format!("BEGIN; {cancel}; {}; COMMIT", insert("", "")))?;
                    expect(client, PENDING, "f")?;
                    let retry = format!("SELECT status FROM agent_task_queue WHERE parent_task_id = '{task}'");
                    expect(client, &retry, "cancelled")?;
                }
            }
        }
        Ok(())
    })
}

/// The server has failed a task and retries it, while an application or an operator does the same. There is one retry. The
/// server's insert has the pending slot before its foreign key locks the key of the failed task.
pub fn server_and_call_make_one_retry(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, _| {
        let task = run(client, None)?;
        let children = format!("SELECT count(*) FROM agent_task_queue WHERE parent_task_id = '{task}'");
        for call in [format!("multica_retry('{task}')"), format!("multica_handle_failed_tasks(ARRAY['{task}'::uuid])")]
        {
            let failed = |client: &mut Client| -> Result<()> {
                run(client, Some(task.clone()))?;
                set_status(client, &task, "failed")?;
                let reason = format!("UPDATE agent_task_queue SET failure_reason = 'timeout' WHERE id = '{task}'");
                Ok(client.batch_execute(&reason)?)
            };
            // The server is first.
            failed(client)?;
            let mut server = database.connect()?;
            server.batch_execute(&format!("BEGIN; {}", insert(", attempt", ", 2")))?;
            let late = start(database, &format!("SELECT FROM {call}"))?;
            late.wait_until_blocked(client)?;
            server.batch_execute(&format!(
                "UPDATE agent_task_queue SET parent_task_id = '{task}' WHERE id = {}; COMMIT",
                md5("of server")
            ))?;
            late.finish()?;
            expect(client, &children, "1")?;
            expect(client, PENDING, "t")?;
            // The call is first. The server's insert names the slot by its predicate, so it inserts nothing.
            failed(client)?;
            let mut caller = database.connect()?;
            caller.batch_execute(&format!("BEGIN; SELECT FROM {call}"))?;
            let retry = insert(", attempt, parent_task_id", &format!(", 2, '{task}'"));
            let late = start(database, &format!("{retry} ON CONFLICT DO NOTHING"))?;
            late.wait_until_blocked(client)?;
            caller.batch_execute("COMMIT")?;
            late.finish()?;
            expect(client, &children, "1")?;
            let of_server = value(client, "SELECT count(*) FROM agent_task_queue WHERE id = md5('of server')::uuid")?;
            ensure!(of_server == "0", "the server has a retry too");
        }
        Ok(())
    })
}
