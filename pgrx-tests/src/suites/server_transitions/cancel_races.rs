//! Cancellations and late pins beside the transactions of the server, which these tests write with statements of their
//! own.

use anyhow::{Result, ensure};
use postgres::Client;

use super::races::ends;
use super::{Place, of, on_work, rerun, set};
use crate::context::Context;
use crate::suites::support::{expect, start, value};

const LOCK_CHAT: &str = "SELECT FROM chat_session WHERE id = md5('chat x')::uuid FOR UPDATE";

/// Runs both sides in this order: the first one is in an open transaction when the second one begins to wait for it.
fn one_after_the_other(place: &Place, client: &mut Client, first: &str, second: &str) -> Result<()> {
    let mut session = place.database.connect()?;
    session.batch_execute(&format!("BEGIN; {first}"))?;
    let other = start(place.database, &format!("BEGIN; {second}; COMMIT"))?;
    other.wait_until_blocked(client)?;
    session.batch_execute("COMMIT")?;
    other.finish()?;
    Ok(())
}

/// The server cancels for a user while a daemon or another user ends the task. One of them does, and only it records
/// what the task has become.
pub fn server_cancels_the_task_that_a_call_ends(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        for task in ["task x", "task turn"] {
            let cancel = format!(
                "{LOCK_CHAT}; UPDATE agent_task_queue SET status = 'cancelled', completed_at = now(), failure_reason = 'by the server'
                 WHERE id = md5('{task}')::uuid AND status IN ('queued', 'dispatched', 'running')"
            );
            for (call, status) in ends(task) {
                let told = format!("DROP TABLE IF EXISTS told; CREATE TABLE told AS {call}");
                let ended = |client: &mut Client, before: &str| {
                    value(
                        client,
                        &format!(
                            "SELECT string_agg(type, ' ' ORDER BY id) FROM multica_event_log WHERE id > {before}
                             AND type IN ('task:failed', 'task:cancelled', 'task:completed')"
                        ),
                    )
                };
                let now = |client: &mut Client| value(client, "SELECT COALESCE(max(id), 0) FROM multica_event_log");
                rerun(place, client, task)?;
                let before = now(client)?;
                one_after_the_other(place, client, &cancel, &told)?;
                expect(client, &of("status, failure_reason", task), "cancelled by the server")?;
                expect(client, "SELECT applied FROM told", "f")?;
                let events = ended(client, &before)?;
                ensure!(events.is_empty(), "{call} after the server records {events}");
                rerun(place, client, task)?;
                let before = now(client)?;
                one_after_the_other(place, client, &told, &cancel)?;
                expect(
                    client,
                    &of("status, failure_reason IS DISTINCT FROM 'by the server'", task),
                    &format!("{status} t"),
                )?;
                expect(client, "SELECT applied FROM told", "t")?;
                let events = ended(client, &before)?;
                ensure!(events == format!("task:{status}"), "{call} before the server records {events}");
            }
        }
        Ok(())
    })
}

/// A turn is cancelled, its daemon pins it late, and the next turn is completed: the server does one of the last two.
pub fn one_side_of_the_late_pin_is_the_server(context: &Context) -> Result<()> {
    on_work(context, &["fresh"], |place, client| {
        let runtime = if place.has("chat_runtime") { ", runtime_id = md5('runtime x')::uuid" } else { "" };
        let server_completes = format!(
            "{LOCK_CHAT}; UPDATE agent_task_queue SET status = 'completed', completed_at = now(), session_id = 'newest'
             WHERE id = md5('next')::uuid AND status = 'running';
             UPDATE chat_session SET session_id = 'newest'{runtime} WHERE id = md5('chat x')::uuid"
        );
        let server_pins = format!(
            "{LOCK_CHAT}; UPDATE agent_task_queue SET session_id = COALESCE(session_id, 'late')
             WHERE id = md5('task turn')::uuid AND (status IN ('dispatched', 'running') OR (status = 'cancelled' AND session_id IS NULL));
             UPDATE chat_session AS c SET session_id = t.session_id{runtime}
             FROM agent_task_queue AS t
             WHERE t.id = md5('task turn')::uuid AND t.status = 'cancelled' AND c.id = t.chat_session_id AND NOT EXISTS (
                 SELECT FROM agent_task_queue AS o
                 WHERE o.chat_session_id = c.id AND o.id <> t.id AND o.created_at > t.created_at AND o.session_id IS NOT NULL
             )"
        );
        let complete = "SELECT FROM multica_complete(md5('next')::uuid, session_id => 'newest')".to_string();
        let pin = "SELECT multica_pin_session(md5('task turn')::uuid, 'late')".to_string();
        for (first, second) in
            [(&pin, &server_completes), (&server_completes, &pin), (&server_pins, &complete), (&complete, &server_pins)]
        {
            client.batch_execute("DELETE FROM agent_task_queue WHERE id = md5('next')::uuid")?;
            rerun(place, client, "task turn")?;
            set(client, "task turn", "status = 'cancelled', completed_at = now(), session_id = NULL")?;
            client.batch_execute(
                "UPDATE chat_session SET session_id = NULL WHERE id = md5('chat x')::uuid;
                 INSERT INTO agent_task_queue (id, agent_id, runtime_id, chat_session_id, status, dispatched_at, started_at)
                 VALUES (md5('next')::uuid, md5('agent x')::uuid, md5('runtime x')::uuid, md5('chat x')::uuid, 'running', now(), now())",
            )?;
            one_after_the_other(place, client, first, second)?;
            expect(client, "SELECT session_id FROM chat_session WHERE id = md5('chat x')::uuid", "newest")?;
            expect(client, &of("session_id", "task turn"), "late")?;
            expect(client, &of("status, session_id", "next"), "completed newest")?;
        }
        Ok(())
    })
}

/// The server cancels a running turn while its daemon pins it. The chat points to the session in either order.
pub fn server_cancels_the_turn_that_is_pinned(context: &Context) -> Result<()> {
    on_work(context, &["fresh"], |place, client| {
        let runtime = if place.has("chat_runtime") { ", runtime_id = md5('runtime x')::uuid" } else { "" };
        let cancel = format!(
            "{LOCK_CHAT}; UPDATE agent_task_queue SET status = 'cancelled', completed_at = now() WHERE id = md5('task turn')::uuid;
             UPDATE chat_session AS c SET session_id = t.session_id{runtime}
             FROM agent_task_queue AS t WHERE t.id = md5('task turn')::uuid AND t.session_id IS NOT NULL AND c.id = t.chat_session_id"
        );
        let pin = "SELECT multica_pin_session(md5('task turn')::uuid, 'pinned')";
        for (first, second) in [(cancel.as_str(), pin), (pin, cancel.as_str())] {
            rerun(place, client, "task turn")?;
            set(client, "task turn", "session_id = NULL")?;
            client.batch_execute("UPDATE chat_session SET session_id = NULL WHERE id = md5('chat x')::uuid")?;
            one_after_the_other(place, client, first, second)?;
            expect(client, &of("status, session_id", "task turn"), "cancelled pinned")?;
            expect(client, "SELECT session_id FROM chat_session WHERE id = md5('chat x')::uuid", "pinned")?;
        }
        Ok(())
    })
}
