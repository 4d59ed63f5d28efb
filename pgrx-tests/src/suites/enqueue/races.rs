//! Calls against the server's own statements, both ways round. The server's transactions take the locks of its own code:
//! an enqueue locks the keys of the agent, the issue and the runtime, and a rerun cancels before it inserts.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{enqueue, has, md5, set_status};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{expect, start, value};

/// The server's insert of a task of issue e.
fn server_inserts(more: &str) -> String {
    format!(
        "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id{}) VALUES ({}, {}, {}, {}{more})",
        if more.is_empty() { "" } else { ", attempt, parent_task_id" },
        md5("of server"),
        md5("agent e"),
        md5("runtime e"),
        md5("issue e"),
    )
}

/// The pending tasks of issue e.
const PENDING: &str = "SELECT count(*) FROM agent_task_queue WHERE issue_id = md5('issue e')::uuid AND status IN ('queued', 'dispatched')";

/// Runs the server's statements in a transaction that stays open.
fn server<'a>(database: &crate::database::Database<'a>, sql: &str) -> Result<Client> {
    let mut server = database.connect()?;
    server.batch_execute(&format!("BEGIN; {sql}"))?;
    Ok(server)
}

pub fn rerun_replaces_a_task_that_was_queued_meanwhile(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, _| {
        for outcome in ["COMMIT", "ROLLBACK"] {
            let mut server = server(database, &server_inserts(""))?;
            let rerun = start(database, &format!("SELECT multica_rerun({}, {})", md5("issue e"), md5("comment 1")))?;
            rerun.wait_until_blocked(client)?;
            server.batch_execute(outcome)?;
            rerun.finish()?;
            expect(client, PENDING, "1")?;
            let of_server = "SELECT status FROM agent_task_queue WHERE id = md5('of server')::uuid";
            expect(client, of_server, if outcome == "COMMIT" { "cancelled" } else { "" })?;
            let trigger = format!("SELECT trigger_comment_id = {} FROM agent_task_queue", md5("comment 1"));
            expect(client, &format!("{trigger} WHERE issue_id = {} AND status = 'queued'", md5("issue e")), "t")?;
            client.batch_execute(&format!("DELETE FROM agent_task_queue WHERE issue_id = {}", md5("issue e")))?;
        }
        Ok(())
    })
}

pub fn comment_joins_a_task_that_was_queued_meanwhile(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, features| {
        let mut server = server(database, &server_inserts(""))?;
        let enqueue = format!("SELECT multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 1"));
        let late = start(database, &enqueue)?;
        late.wait_until_blocked(client)?;
        server.batch_execute("COMMIT")?;
        late.finish()?;
        expect(client, PENDING, "1")?;
        let joins = if has(features, "coalesced") { "t" } else { "" };
        let trigger = "SELECT trigger_comment_id = md5('comment 1')::uuid FROM agent_task_queue WHERE id = md5('of server')::uuid";
        expect(client, trigger, joins)
    })
}

/// The server's rerun has cancelled the deferred retry of a failed task and inserted its own, and does not commit. A
/// recovery fails the task that runs: its retry waits for the slot, and then there is none.
pub fn verdict_waits_for_a_rerun_of_the_server(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, _| {
        let running = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        set_status(client, &running, "running")?;
        for (outcome, pending) in [("ROLLBACK", "1"), ("COMMIT", "1")] {
            client.batch_execute(&format!(
                "DELETE FROM agent_task_queue WHERE parent_task_id = '{running}';
                 UPDATE agent_task_queue SET status = 'running', completed_at = NULL, failure_reason = NULL WHERE id = '{running}'"
            ))?;
            let cancel = format!(
                "UPDATE agent_task_queue SET status = 'cancelled', completed_at = now()
                 WHERE issue_id = {} AND agent_id = {} AND status IN ('queued', 'dispatched')",
                md5("issue e"),
                md5("agent e")
            );
            let mut server = server(database, &format!("{cancel}; {}", server_inserts("")))?;
            let recover = start(database, &format!("SELECT multica_recover_orphans({})", md5("runtime e")))?;
            recover.wait_until_blocked(client)?;
            server
                .batch_execute(&format!("SELECT FROM issue WHERE id = {} FOR KEY SHARE; {outcome}", md5("issue e")))?;
            recover.finish()?;
            expect(client, PENDING, pending)?;
            let retried = if outcome == "ROLLBACK" { "1" } else { "0" };
            expect(
                client,
                &format!("SELECT count(*) FROM agent_task_queue WHERE parent_task_id = '{running}'"),
                retried,
            )?;
        }
        Ok(())
    })
}

/// The server fails a task and inserts its retry in one transaction. It recognizes the pending slot by the predicate of
/// its index: the insert returns no row, and the failure commits.
pub fn retry_of_the_server_meets_a_new_task(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, features| {
        let running = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        set_status(client, &running, "running")?;
        let slot = if has(features, "slot_of_media") {
            "status IN ('queued', 'dispatched') OR (status = 'deferred' AND context ->> 'channel_issue_media_pending' = 'true')"
        } else {
            "status IN ('queued', 'dispatched')"
        };
        let retry = format!(
            "BEGIN; UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'timeout'
             WHERE id = '{running}';
             {} ON CONFLICT (issue_id, agent_id) WHERE {slot} DO NOTHING; COMMIT",
            server_inserts(&format!(", 2, '{running}'"))
        );
        client.batch_execute(&format!(
            "BEGIN; SELECT multica_enqueue_issue({}, {})",
            md5("issue e"),
            md5("comment 2")
        ))?;
        let late = start(database, &retry)?;
        late.wait_until_blocked(&mut database.connect()?)?;
        client.batch_execute("COMMIT")?;
        late.finish()?;
        expect(client, &format!("SELECT status FROM agent_task_queue WHERE id = '{running}'"), "failed")?;
        expect(client, PENDING, "1")?;
        // The other way round, the comment joins the retry.
        client.batch_execute(&format!(
            "DELETE FROM agent_task_queue WHERE issue_id = {} AND id <> '{running}'",
            md5("issue e")
        ))?;
        let mut server = server(database, &server_inserts(&format!(", 2, '{running}'")))?;
        let enqueue =
            start(database, &format!("SELECT multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 2")))?;
        enqueue.wait_until_blocked(client)?;
        server.batch_execute(&format!("SELECT FROM agent_task_queue WHERE id = '{running}' FOR KEY SHARE; COMMIT"))?;
        enqueue.finish()?;
        expect(client, PENDING, "1")
    })
}

/// The server's poll, a sweep and an enqueue want the pending slot.
pub fn promotion_and_new_task_leave_one_pending(context: &Context) -> Result<()> {
    on_all_tables(context, &["deferred"], "enqueue", |database, client, _| {
        let defer = format!(
            "INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, fire_at)
             VALUES ({}, {}, {}, {}, 'deferred', now())",
            md5("due"),
            md5("agent e"),
            md5("runtime e"),
            md5("issue e")
        );
        let promote =
            format!("UPDATE agent_task_queue SET status = 'queued' WHERE id = {} AND status = 'deferred'", md5("due"));
        let enqueue = format!("SELECT multica_enqueue_issue({})", md5("issue e"));
        let sweep = "UPDATE agent_runtime SET last_seen_at = now() WHERE status = 'online'; SELECT multica_sweep()";
        let again = |client: &mut Client| -> Result<()> {
            Ok(client
                .batch_execute(&format!("DELETE FROM agent_task_queue WHERE issue_id = {}; {defer}", md5("issue e")))?)
        };
        // The server promotes first. The enqueue waits for it and returns that task; a sweep waits for nothing.
        again(client)?;
        let mut server = server(database, &promote)?;
        client.batch_execute(sweep)?;
        let late = start(database, &enqueue)?;
        late.wait_until_blocked(client)?;
        server.batch_execute("COMMIT")?;
        late.finish()?;
        expect(client, PENDING, "1")?;
        // The enqueue is first. The server's poll takes the violation of its slot for "nothing to promote".
        again(client)?;
        client.batch_execute(&format!("BEGIN; {enqueue}"))?;
        let late = start(database, &promote)?;
        late.wait_until_blocked(&mut database.connect()?)?;
        database.connect()?.batch_execute(sweep)?;
        client.batch_execute("COMMIT")?;
        late.finish_with_state("23505")?;
        expect(client, PENDING, "1")?;
        // A sweep is first.
        again(client)?;
        client.batch_execute(&format!("BEGIN; {sweep}"))?;
        let late = start(database, &enqueue)?;
        late.wait_until_blocked(&mut database.connect()?)?;
        client.batch_execute("COMMIT")?;
        late.finish()?;
        expect(client, PENDING, "1")
    })
}

/// The server's merge locks the workspace and both runtimes, moves tasks and agents, and deletes the old runtime.
pub fn new_task_follows_a_merge_of_the_server(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |database, client, _| {
        let lock = format!(
            "SELECT FROM workspace WHERE id = {} FOR KEY SHARE;
             SELECT FROM agent_runtime WHERE id IN ({}, {}) ORDER BY id FOR UPDATE",
            md5("workspace e"),
            md5("runtime e"),
            md5("runtime f")
        );
        let mv = format!(
            "UPDATE agent_task_queue SET runtime_id = {new} WHERE runtime_id = {old};
             UPDATE agent SET runtime_id = {new} WHERE runtime_id = {old}",
            new = md5("runtime f"),
            old = md5("runtime e")
        );
        let delete = format!("DELETE FROM agent_runtime WHERE id = {}", md5("runtime e"));
        let calls = [
            format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 1")),
            format!("multica_enqueue_chat({})", md5("chat e")),
            format!("multica_rerun({})", md5("issue f")),
        ];
        // The calls are first: the merge waits for each, and moves its task.
        for call in &calls {
            client.batch_execute(&format!("BEGIN; SELECT {call}"))?;
            let merge = start(database, &format!("BEGIN; {lock}; {mv}; COMMIT"))?;
            merge.wait_until_blocked(&mut database.connect()?)?;
            client.batch_execute("COMMIT")?;
            merge.finish()?;
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET runtime_id = {old} WHERE runtime_id = {new};
                 UPDATE agent SET runtime_id = {old} WHERE runtime_id = {new}",
                new = md5("runtime f"),
                old = md5("runtime e")
            ))?;
        }
        client.batch_execute(&format!("DELETE FROM agent_task_queue WHERE runtime_id = {}", md5("runtime e")))?;
        // The merge is first: the calls wait for it, and use the new runtime.
        let mut server = server(database, &lock)?;
        let mut late = Vec::new();
        for call in &calls {
            let started = start(database, &format!("SELECT {call}"))?;
            started.wait_until_blocked(client)?;
            late.push(started);
        }
        server.batch_execute(&format!("{mv}; {delete}; COMMIT"))?;
        for call in late {
            call.finish()?;
        }
        expect(
            client,
            &format!(
                "SELECT count(*) FROM agent_task_queue WHERE runtime_id = {} AND status = 'queued'",
                md5("runtime f")
            ),
            "3",
        )
    })
}

/// A claim by the server and a new comment: whichever is first, one task answers the comment.
pub fn claim_and_comment_lose_nothing(context: &Context) -> Result<()> {
    on_all_tables(context, &["coalesced", "deferred"], "enqueue", |database, client, _| {
        let with = |n: i32| {
            format!("SELECT outcome FROM multica_enqueue_issue({}, {})", md5("issue e"), md5(&format!("comment {n}")))
        };
        let claim = format!(
            "SELECT FROM agent WHERE id = {agent} FOR UPDATE;
             UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = now()
             WHERE agent_id = {agent} AND status = 'queued'",
            agent = md5("agent e")
        );
        client.batch_execute(&with(1))?;
        // The comment is first: the claim returns the task with both comments.
        client.batch_execute(&format!("BEGIN; {}", with(2)))?;
        let late = start(database, &format!("BEGIN; {claim}; COMMIT"))?;
        late.wait_until_blocked(&mut database.connect()?)?;
        client.batch_execute("COMMIT")?;
        late.finish()?;
        let answered = "SELECT status, count(*) FROM agent_task_queue CROSS JOIN unnest(coalesced_comment_ids || trigger_comment_id)
             WHERE issue_id = md5('issue e')::uuid GROUP BY id, status ORDER BY created_at";
        expect(client, answered, "dispatched 2")?;
        // The claim is first: the comment gets a task of its own.
        client.batch_execute(&format!(
            "DELETE FROM agent_task_queue WHERE issue_id = {}; {}",
            md5("issue e"),
            with(1)
        ))?;
        let mut server = server(database, &claim)?;
        let late = start(database, &with(2))?;
        late.wait_until_blocked(client)?;
        server.batch_execute("COMMIT")?;
        late.finish()?;
        expect(client, answered, "dispatched 1\ndeferred 1")
    })
}

/// The start of a task cancels its escalations, so an escalation must not come between.
pub fn start_waits_for_its_escalation(context: &Context) -> Result<()> {
    on_all_tables(context, &["deferred", "escalation"], "enqueue", |database, client, _| {
        let task = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        set_status(client, &task, "dispatched")?;
        let escalate = format!(
            "SELECT multica_enqueue_mention({}, {}, run_after => now() + interval '1 hour', escalation_for_task_id => '{task}')",
            md5("issue e"),
            md5("agent f")
        );
        let begin = format!("UPDATE agent_task_queue SET status = 'running', started_at = now() WHERE id = '{task}'");
        let cancel = format!(
            "UPDATE agent_task_queue SET status = 'cancelled', completed_at = now()
             WHERE escalation_for_task_id = '{task}' AND status = 'deferred'"
        );
        // The escalation is first: the start waits, and sees it when it cancels.
        client.batch_execute(&format!("BEGIN; {escalate}"))?;
        let late = start(database, &begin)?;
        late.wait_until_blocked(&mut database.connect()?)?;
        client.batch_execute("COMMIT")?;
        late.finish()?;
        client.batch_execute(&cancel)?;
        let left = "SELECT status FROM agent_task_queue WHERE escalation_for_task_id IS NOT NULL AND issue_id = md5('issue e')::uuid";
        expect(client, left, "cancelled")?;
        // The start is first: there is no escalation.
        client.batch_execute(&format!(
            "DELETE FROM agent_task_queue WHERE escalation_for_task_id = '{task}';
             UPDATE agent_task_queue SET status = 'dispatched', started_at = NULL WHERE id = '{task}'"
        ))?;
        let mut server = server(database, &begin)?;
        let late = start(database, &escalate)?;
        late.wait_until_blocked(client)?;
        server.batch_execute("COMMIT")?;
        late.finish_with_state("55000")?;
        ensure!(value(client, left)?.is_empty(), "a started task was escalated");
        Ok(())
    })
}
