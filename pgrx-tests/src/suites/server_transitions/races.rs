//! Calls beside the transactions of the server, which these tests write with statements of their own, and beside each
//! other. No transaction ends with a deadlock.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{Place, dispatch, of, on_work, rerun, set};
use crate::context::Context;
use crate::suites::support::{expect, start, value};

/// The calls that end a task, with the status that it has then.
pub fn ends(task: &str) -> [(String, &'static str); 3] {
    [
        (format!("SELECT applied FROM multica_fail(md5('{task}')::uuid, 'x', 'timeout')"), "failed"),
        (format!("SELECT applied FROM multica_complete(md5('{task}')::uuid)"), "completed"),
        (format!("SELECT applied FROM multica_cancel(md5('{task}')::uuid)"), "cancelled"),
    ]
}

/// Runs `first` of the server, then a call that waits for it, then `second` of the server, which commits.
fn beside_server(place: &Place, client: &mut Client, call: &str, first: &str, second: &str) -> Result<()> {
    let mut server = place.database.connect()?;
    server.batch_execute(&format!("BEGIN; {first}"))?;
    let running = start(place.database, call)?;
    running.wait_until_blocked(client)?;
    server.batch_execute(&format!("{second}; COMMIT"))?;
    running.finish()?;
    Ok(())
}

/// The server locks the task, and then the keys of the rows that it belongs to.
pub fn server_fails_the_task_that_a_call_ends(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        let verdict = "SELECT FROM multica_recover_orphans(md5('runtime x')::uuid)".to_string();
        for (call, status) in ends("task x").into_iter().chain([(verdict, "failed")]) {
            rerun(place, client, "task x")?;
            beside_server(
                place,
                client,
                &call,
                "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'by the server'
                 WHERE id = md5('task x')::uuid",
                "SELECT FROM agent WHERE id = md5('agent x')::uuid FOR KEY SHARE;
                 SELECT FROM issue WHERE id = md5('issue x')::uuid FOR KEY SHARE;
                 SELECT FROM agent_runtime WHERE id = md5('runtime x')::uuid FOR KEY SHARE",
            )?;
            expect(client, &of("status, failure_reason", "task x"), "failed by the server")?;
            // The call comes first: the server changes no row.
            rerun(place, client, "task x")?;
            let mut caller = place.database.connect()?;
            caller.batch_execute(&format!("BEGIN; {call}"))?;
            let fail = start(
                place.database,
                "UPDATE agent_task_queue SET status = 'failed', failure_reason = 'by the server'
                 WHERE id = md5('task x')::uuid AND status IN ('dispatched', 'running')",
            )?;
            fail.wait_until_blocked(client)?;
            caller.batch_execute("COMMIT")?;
            fail.finish()?;
            expect(
                client,
                &of("status, failure_reason IS DISTINCT FROM 'by the server'", "task x"),
                &format!("{status} t"),
            )?;
        }
        Ok(())
    })
}

/// The server locks the chat session, then the agent, and queues the next turn.
pub fn server_sends_chat_message_while_turn_ends(context: &Context) -> Result<()> {
    let chat = "SELECT FROM chat_session WHERE id = md5('chat x')::uuid FOR UPDATE";
    let turn = "SELECT FROM agent WHERE id = md5('agent x')::uuid FOR UPDATE;
        INSERT INTO agent_task_queue (id, agent_id, runtime_id, chat_session_id, priority)
        VALUES (md5('next')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('chat x')::uuid, 2)";
    on_work(context, &[], |place, client| {
        for (call, status) in ends("task turn") {
            let again = |client: &mut Client| -> Result<()> {
                client.batch_execute("DELETE FROM agent_task_queue WHERE id = md5('next')::uuid")?;
                rerun(place, client, "task turn")
            };
            let expect_both = |client: &mut Client| -> Result<()> {
                expect(client, &of("status", "task turn"), status)?;
                expect(client, &of("status", "next"), "queued")
            };
            again(client)?;
            beside_server(place, client, &call, chat, turn)?;
            expect_both(client)?;
            // The call comes first.
            again(client)?;
            let mut caller = place.database.connect()?;
            caller.batch_execute(&format!("BEGIN; {call}"))?;
            let send = start(place.database, &format!("BEGIN; {chat}; {turn}; COMMIT"))?;
            send.wait_until_blocked(client)?;
            caller.batch_execute("COMMIT")?;
            send.finish()?;
            expect_both(client)?;
        }
        Ok(())
    })
}

/// The server locks the runtime; its delete then sets the chat session, to which the call writes the runtime.
pub fn server_deletes_runtime_while_turn_ends(context: &Context) -> Result<()> {
    on_work(context, &["chat_runtime"], |place, client| {
        let late = "SELECT multica_pin_session(md5('task turn')::uuid, 'late')".to_string();
        let several = "SELECT FROM multica_cancel_chat_tasks(md5('chat x')::uuid)".to_string();
        for (call, status) in ends("task turn").into_iter().chain([(late, "cancelled"), (several, "cancelled")]) {
            rerun(place, client, "task turn")?;
            client.batch_execute(
                "UPDATE chat_session SET runtime_id = md5('runtime y')::uuid WHERE id = md5('chat x')::uuid",
            )?;
            if status == "cancelled" && call.contains("pin") {
                set(client, "task turn", "status = 'cancelled', completed_at = now(), session_id = NULL")?;
            }
            beside_server(
                place,
                client,
                &call,
                "SELECT FROM agent_runtime WHERE id IN (md5('runtime x')::uuid, md5('runtime y')::uuid) ORDER BY id FOR UPDATE",
                "UPDATE chat_session SET runtime_id = NULL WHERE id = md5('chat x')::uuid",
            )?;
            expect(client, &of("status", "task turn"), status)?;
            let pointer = "SELECT runtime_id = md5('runtime x')::uuid FROM chat_session WHERE id = md5('chat x')::uuid";
            expect(client, pointer, "t")?;
        }
        Ok(())
    })
}

/// One of the two ends the task and records its event; the other changes nothing.
pub fn user_cancels_while_daemon_fails(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        let [(fail, _), (complete, _), (cancel, _)] = ends("task x");
        for (first, second, status) in
            [(&fail, &cancel, "failed"), (&cancel, &fail, "cancelled"), (&cancel, &complete, "cancelled")]
        {
            rerun(place, client, "task x")?;
            let before = value(client, "SELECT COALESCE(max(id), 0) FROM multica_event_log")?;
            let mut winner = place.database.connect()?;
            winner.batch_execute("BEGIN")?;
            expect(&mut winner, first, "t")?;
            let loser = start(place.database, &format!("CREATE TABLE IF NOT EXISTS told AS {second}"))?;
            loser.wait_until_blocked(client)?;
            winner.batch_execute("COMMIT")?;
            loser.finish()?;
            expect(client, "SELECT applied FROM told", "f")?;
            client.batch_execute("DROP TABLE told")?;
            expect(client, &of("status", "task x"), status)?;
            let ended = format!(
                "SELECT type FROM multica_event_log WHERE id > {before} AND type IN ('task:failed', 'task:cancelled', 'task:completed')"
            );
            expect(client, &ended, &format!("task:{status}"))?;
        }
        Ok(())
    })
}

/// A turn is cancelled, its daemon pins it late, and the next turn is completed, in every order.
pub fn late_pin_and_next_turn_end_with_newest_session(context: &Context) -> Result<()> {
    on_work(context, &["fresh"], |place, client| {
        let pin = "SELECT multica_pin_session(md5('task turn')::uuid, 'late')";
        let complete = "SELECT FROM multica_complete(md5('next')::uuid, session_id => 'newest')";
        for (first, second) in [(pin, complete), (complete, pin)] {
            client.batch_execute("DELETE FROM agent_task_queue WHERE id = md5('next')::uuid")?;
            rerun(place, client, "task turn")?;
            set(client, "task turn", "session_id = NULL")?;
            client.batch_execute(
                "UPDATE chat_session SET session_id = NULL WHERE id = md5('chat x')::uuid;
                 SELECT FROM multica_cancel(md5('task turn')::uuid);
                 INSERT INTO agent_task_queue (id, agent_id, runtime_id, chat_session_id, status, dispatched_at, started_at)
                 VALUES (md5('next')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('chat x')::uuid, 'running', now(), now())",
            )?;
            let mut session = place.database.connect()?;
            session.batch_execute(&format!("BEGIN; {first}"))?;
            let other = start(place.database, second)?;
            other.wait_until_blocked(client)?;
            session.batch_execute("COMMIT")?;
            other.finish()?;
            expect(client, "SELECT session_id FROM chat_session WHERE id = md5('chat x')::uuid", "newest")?;
            expect(client, &of("session_id", "task turn"), "late")?;
        }
        Ok(())
    })
}

/// The server claims the escalation, or queues it, while the task starts. It holds the agent of the escalation.
pub fn escalation_is_claimed_while_task_starts(context: &Context) -> Result<()> {
    on_work(context, &["escalation"], |place, client| {
        client.batch_execute(
            "INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, status, owner_id)
             VALUES (md5('agent z')::uuid, md5('workspace 1')::uuid, 'z', 'local', md5('runtime y')::uuid, 'idle', md5('user 1')::uuid);
             INSERT INTO agent_task_queue (id, agent_id, runtime_id, issue_id, status, escalation_for_task_id)
             VALUES (md5('escalation')::uuid, md5('agent z')::uuid, md5('runtime y')::uuid, md5('issue x')::uuid, 'queued',
                 md5('task x')::uuid)",
        )?;
        dispatch(place, client, "task x")?;
        beside_server(
            place,
            client,
            "SELECT FROM multica_start(md5('task x')::uuid)",
            "SELECT FROM agent WHERE id = md5('agent z')::uuid FOR UPDATE",
            "UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = now() WHERE id = md5('escalation')::uuid;
             UPDATE agent SET status = 'working' WHERE id = md5('agent z')::uuid",
        )?;
        expect(client, &of("status", "escalation"), "cancelled")?;
        expect(client, &of("status", "task x"), "running")?;
        expect(client, "SELECT status FROM agent WHERE id = md5('agent z')::uuid", "idle")?;
        let events = "SELECT count(*) FROM multica_event_log WHERE type = 'task:cancelled'
            AND payload ->> 'task_id' = md5('escalation')::uuid::text";
        let found = value(client, events)?;
        ensure!(found == "1", "{found} events");
        Ok(())
    })
}
