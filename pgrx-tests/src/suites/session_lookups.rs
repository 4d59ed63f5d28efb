//! Which session the lookups return in the tables of the newest server, where a session can be unsafe to resume.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::value;
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    unsafe_sessions_are_left_out,
    chat_is_resumed_at_its_pointer_on_its_runtime,
    revisions_of_channel_are_kept_apart
];

/// Ended tasks, the last one first: status, session, name of the runtime, reason and text of the failure, and the
/// session that the task retired.
type Ended<'a> = [&'a str; 6];

/// Inserts ended tasks of an agent, one per hour, with `place` as their issue or chat.
fn insert(client: &mut Client, place: &str, revision: &[Option<i64>], tasks: &[Ended]) -> Result<()> {
    for (hours, [status, session, runtime, reason, error, retired]) in tasks.iter().enumerate() {
        let revision = revision.get(hours).copied().flatten().map_or("NULL".into(), |it| it.to_string());
        let at = format!("now() - interval '{} hours'", hours + 1);
        client.batch_execute(&format!(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, {place_column}, status, created_at, dispatched_at,
                 started_at, completed_at, session_id, work_dir, failure_reason, error, retired_session_id,
                 channel_context_revision)
             VALUES (md5('agent worker')::uuid, md5('runtime {runtime}')::uuid, {place_id}, '{status}', {at}, {at}, {at},
                 {at}, NULLIF('{session}', ''), NULLIF('/' || '{session}', '/'), NULLIF('{reason}', ''),
                 NULLIF('{error}', ''), NULLIF('{retired}', ''), {revision})",
            place_column = place.split_whitespace().next().unwrap_or_default(),
            place_id = place.split_once(' ').map_or("", |(_, id)| id),
        ))?;
    }
    Ok(())
}

const OK: Ended = ["completed", "old", "online", "", "", ""];

/// Ended tasks, and the session and directory that are resumed.
const CASES: [(&[Ended], &str); 14] = [
    (&[["completed", "new", "online", "", "", ""], OK], "new /new"),
    (&[["cancelled", "new", "online", "", "", ""], OK], "new /new"),
    (&[["failed", "new", "online", "agent_error", "Exit status 1", ""], OK], "new /new"),
    (&[["failed", "new", "online", "iteration_limit", "", ""], OK], "old /old"),
    (&[["failed", "new", "online", "agent_error.context_overflow", "", ""], OK], "old /old"),
    (&[["failed", "new", "online", "", "400: Invalid_Request_Error", ""], OK], "old /old"),
    (&[["failed", "new", "online", "", "Could not resolve authentication method", ""], OK], "old /old"),
    (&[["failed", "new", "online", "", "messages.3: content must not be empty", ""], OK], "old /old"),
    (&[["failed", "new", "online", "", "the title must not be empty", ""], OK], "new /new"),
    (&[["failed", "new", "online", "", "messages.1.image.source.base64.data: too large", ""], OK], "old /old"),
    // The last task with a session decides, and a marker of overflow blocks every older session.
    (&[["failed", "old", "online", "codex_semantic_inactivity", "", ""], OK], ""),
    (&[["failed", "", "online", "agent_error", "thread/resume failed: token too long", ""], OK], ""),
    (&[["completed", "new", "online", "", "", "old"], OK], "new /new"),
    (&[["completed", "new", "offline", "", "", ""], OK], " /new"),
];

fn unsafe_sessions_are_left_out(context: &Context) -> Result<()> {
    let database = context.generation_with_rows("397")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    let issue = (
        "issue_id md5('issue is a plan')::uuid",
        "multica_last_task_session(md5('issue is a plan')::uuid, md5('agent worker')::uuid)",
    );
    let chat = ("chat_session_id md5('chat open')::uuid", "multica_last_chat_session(md5('chat open')::uuid)");
    let retired: &[Ended] = &[["completed", "", "online", "", "", "old"], OK];
    for (place, call) in [issue, chat] {
        for (tasks, expected) in CASES.into_iter().chain([(retired, "")]) {
            client.batch_execute(
                "BEGIN; UPDATE chat_session SET session_id = NULL, runtime_id = NULL;
                 DELETE FROM agent_task_queue WHERE chat_session_id IS NOT NULL",
            )?;
            insert(&mut client, place, &[], tasks).with_context(|| format!("{tasks:?}"))?;
            // A task that was cancelled while it was queued carries a session, but has not run.
            insert(&mut client, place, &[], &[["cancelled", "old", "online", "", "", ""]])?;
            client.batch_execute(
                "UPDATE agent_task_queue SET dispatched_at = NULL, started_at = NULL, completed_at = now()
                 WHERE status = 'cancelled' AND session_id = 'old'",
            )?;
            let found = value(&mut client, &format!("SELECT session_id, work_dir FROM {call}"))?;
            ensure!(found == expected, "{call} returns {found:?}, not {expected:?}, for {tasks:?}");
            client.batch_execute("ROLLBACK")?;
        }
    }
    Ok(())
}

fn chat_is_resumed_at_its_pointer_on_its_runtime(context: &Context) -> Result<()> {
    let database = context.generation_with_rows("397")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    for (runtime, expected) in [("'online'", "pointer /pointer"), ("'offline'", "old /old"), ("NULL", "old /old")] {
        client.batch_execute(&format!(
            "BEGIN; DELETE FROM agent_task_queue WHERE chat_session_id IS NOT NULL;
             UPDATE chat_session SET session_id = 'pointer', work_dir = '/pointer',
                 runtime_id = md5('runtime ' || {runtime})::uuid",
        ))?;
        insert(&mut client, "chat_session_id md5('chat open')::uuid", &[], &[OK])?;
        let call = "SELECT session_id, work_dir FROM multica_last_chat_session(md5('chat open')::uuid)";
        let found = value(&mut client, call)?;
        ensure!(found == expected, "with a pointer on {runtime}: {found:?}, not {expected:?}");
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}

/// A turn without a revision is of revision 1. The pointer of a channel's chat is of an unknown revision.
fn revisions_of_channel_are_kept_apart(context: &Context) -> Result<()> {
    let database = context.generation_with_rows("397")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install()")?;
    let newest: Ended = ["failed", "", "online", "agent_error", "", ""];
    let between: Ended = ["completed", "between", "online", "", "", ""];
    for (revisions, expected) in [
        ([Some(2), Some(2), None], "between /between"),
        ([Some(1), Some(2), None], "old /old"),
        ([Some(3), Some(2), None], ""),
        ([None, Some(2), None], "pointer /pointer"),
    ] {
        client.batch_execute(
            "BEGIN; DELETE FROM agent_task_queue WHERE chat_session_id IS NOT NULL;
             UPDATE chat_session SET session_id = 'pointer', work_dir = '/pointer', runtime_id = md5('runtime online')::uuid",
        )?;
        insert(&mut client, "chat_session_id md5('chat open')::uuid", &revisions, &[newest, between, OK])?;
        let call = "SELECT session_id, work_dir FROM multica_last_chat_session(md5('chat open')::uuid)";
        let found = value(&mut client, call)?;
        ensure!(found == expected, "{revisions:?}: {found:?}, not {expected:?}");
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}
