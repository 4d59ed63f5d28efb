//! What a daemon reports about a run whose task was cancelled.

use anyhow::Result;
use postgres::Client;

use super::{Place, of, on_work, rerun, set};
use crate::context::Context;
use crate::suites::support::expect;

const PIN: &str = "SELECT multica_pin_session(md5('task turn')::uuid, 'late', '/late')";
const POINTER: &str = "SELECT session_id, work_dir FROM chat_session WHERE id = md5('chat x')::uuid";

/// Cancels the turn, which has no session yet. The chat points to an older one.
fn cancel_without_session(place: &Place, client: &mut Client) -> Result<()> {
    rerun(place, client, "task turn")?;
    set(client, "task turn", "session_id = NULL, work_dir = NULL")?;
    client.batch_execute(
        "UPDATE chat_session SET session_id = 'older', work_dir = '/older' WHERE id = md5('chat x')::uuid;
         SELECT FROM multica_cancel(md5('task turn')::uuid)",
    )?;
    expect(client, POINTER, "older /older")
}

pub fn late_pin_stores_session_of_cancelled_task(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        cancel_without_session(place, client)?;
        if !place.has("fresh") {
            expect(client, PIN, "f")?;
            return expect(client, &of("session_id", "task turn"), "");
        }
        expect(client, PIN, "t")?;
        expect(client, &of("status, session_id, work_dir", "task turn"), "cancelled late /late")?;
        expect(client, POINTER, "late /late")?;
        if place.has("chat_runtime") {
            let runtime = "SELECT runtime_id = md5('runtime x')::uuid FROM chat_session WHERE id = md5('chat x')::uuid";
            expect(client, runtime, "t")?;
        }
        // A session that is stored stays.
        expect(client, "SELECT multica_pin_session(md5('task turn')::uuid, 'later')", "f")?;
        expect(client, &of("session_id", "task turn"), "late")?;
        // The claim of another process cannot pin it.
        cancel_without_session(place, client)?;
        expect(client, "SELECT multica_pin_session(md5('task turn')::uuid, 'other', claim_token => 1)", "f")?;
        expect(client, &of("session_id", "task turn"), "")?;
        // A completed or failed task has told where it ended.
        for status in ["completed", "failed"] {
            set(client, "task turn", &format!("status = '{status}', session_id = NULL"))?;
            expect(client, PIN, "f")?;
        }
        expect(client, POINTER, "older /older")
    })
}

/// Inserts a newer turn of the chat, with a session.
fn newer(client: &mut Client, status: &str, session: &str, completed: &str) -> Result<()> {
    client.batch_execute(&format!(
        "DELETE FROM agent_task_queue WHERE id = md5('newer')::uuid;
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, chat_session_id, status, dispatched_at, started_at, completed_at, session_id)
         SELECT md5('newer')::uuid, agent_id, runtime_id, chat_session_id, '{status}', now(), now(), {completed}, {session}
         FROM agent_task_queue WHERE id = md5('task turn')::uuid"
    ))?;
    Ok(())
}

pub fn late_pin_keeps_pointer_to_newer_turn(context: &Context) -> Result<()> {
    on_work(context, &["fresh"], |place, client| {
        let (later, earlier) = ("clock_timestamp() + interval '1 minute'", "now() - interval '1 hour'");
        for (status, session, completed, expected) in [
            ("completed", "'newer'", later, "older /older"),
            ("running", "'newer'", "NULL", "older /older"),
            ("completed", "NULL", later, "late /late"),
            ("running", "NULL", "NULL", "late /late"),
            ("completed", "'before'", earlier, "late /late"),
        ] {
            cancel_without_session(place, client)?;
            newer(client, status, session, completed)?;
            expect(client, PIN, "t")?;
            expect(client, &of("session_id", "task turn"), "late")?;
            expect(client, POINTER, expected)?;
        }
        if place.has("retired") {
            cancel_without_session(place, client)?;
            client.batch_execute(
                r#"DELETE FROM agent_task_queue WHERE id = md5('newer')::uuid;
                SELECT multica_pin_session(md5('task turn')::uuid, 'late', extra => '{"retired_session_id": "late"}')"#,
            )?;
            expect(client, POINTER, "older /older")?;
        }
        Ok(())
    })
}

pub fn late_report_fills_only_what_is_empty(context: &Context) -> Result<()> {
    on_work(context, &["branch"], |place, client| {
        let report = r#"SELECT multica_pin_session(md5('task x')::uuid,
            extra => '{"branch_name": "late", "durable_work_dir": "/late", "session_rollout_missing": true}')"#;
        rerun(place, client, "task x")?;
        client.batch_execute("SELECT FROM multica_cancel(md5('task x')::uuid)")?;
        expect(client, report, "t")?;
        expect(client, &of("branch_name, session_id, work_dir", "task x"), "late session task x /work/task x")?;
        expect(client, report, "f")?;
        set(client, "task x", "branch_name = 'kept'")?;
        if place.has("durable") {
            expect(client, &of("durable_work_dir", "task x"), "/late")?;
            set(client, "task x", "durable_work_dir = NULL")?;
            expect(client, report, "t")?;
        }
        expect(client, &of("branch_name", "task x"), "kept")
    })
}

pub fn waiting_task_is_pinned(context: &Context) -> Result<()> {
    on_work(context, &["waiting"], |place, client| {
        rerun(place, client, "task turn")?;
        set(client, "task turn", "status = 'waiting_local_directory', started_at = NULL")?;
        expect(client, PIN, "t")?;
        expect(client, &of("session_id, work_dir", "task turn"), "late /late")
    })
}
