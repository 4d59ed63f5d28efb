//! Databases that lack some objects, are in use, or need a warning.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postgres::NoTls;

use super::support::{all_adopted, install, refusal, server, value, with_action};
use crate::cluster::Cluster;
use crate::context::Context;

/// Install creates again what was removed by hand after an earlier install.
pub fn incomplete_install_is_completed(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "DROP TABLE chat_message, multica_event_log, multica_event_reader; DROP INDEX multica_task_chat_v2;
         ALTER TABLE agent_task_queue DROP COLUMN failure_reason;
         ALTER TABLE multica_sweep_state DROP COLUMN last_error; TRUNCATE multica_sweep_state",
    )?;
    let steps = install(&mut client)?;
    let mut created = with_action(&steps, "created");
    created.sort_unstable();
    ensure!(
        created
            == [
                "agent_task_queue.failure_reason",
                "chat_message",
                "idx_chat_message_session",
                "multica_event_log",
                "multica_event_reader",
                "multica_sweep_state.last_error",
                "multica_task_chat_v2",
            ],
        "{created:?}"
    );
    all_adopted(&install(&mut client)?)
}

/// Some of the five columns exist, as after a migration that was applied by hand in part: install adds the others.
pub fn missing_columns_of_055_are_added(context: &Context) -> Result<()> {
    let database = server(
        context,
        "ALTER TABLE agent_task_queue DROP COLUMN attempt, DROP COLUMN failure_reason,
             DROP CONSTRAINT agent_task_queue_parent_task_id_fkey;
         DROP INDEX IF EXISTS idx_agent_task_queue_parent",
    )?;
    let mut client = database.connect()?;
    let steps = install(&mut client)?;
    let created = with_action(&steps, "created");
    for object in [
        "agent_task_queue.attempt",
        "agent_task_queue.failure_reason",
        "agent_task_queue.agent_task_queue_parent_task_id_fkey",
        "multica_task_parent",
    ] {
        ensure!(created.contains(&object), "{object} is not in {created:?}");
    }
    ensure!(!created.contains(&"agent_task_queue.max_attempts"), "{created:?}");
    all_adopted(&install(&mut client)?)
}

/// Adding a constraint scans a table under a lock, and existing rows may violate the constraint. So install only
/// reports the statements and leaves the decision to the owner.
pub fn missing_constraints_are_reported_not_added(context: &Context) -> Result<()> {
    let database = server(
        context,
        "ALTER TABLE issue DROP CONSTRAINT issue_status_check;
         ALTER TABLE member DROP CONSTRAINT member_workspace_id_user_id_key;
         ALTER TABLE comment DROP CONSTRAINT comment_issue_id_fkey;
         ALTER TABLE agent ALTER COLUMN custom_env DROP NOT NULL;
         ALTER TABLE issue ALTER COLUMN id DROP DEFAULT;
         DROP INDEX idx_comment_issue;
         UPDATE issue SET status = 'someday' WHERE number = 1",
    )?;
    let mut client = database.connect()?;
    let steps = install(&mut client)?;
    let mut missing = with_action(&steps, "missing");
    missing.sort_unstable();
    ensure!(
        missing
            == [
                "agent.custom_env",
                "comment.comment_issue_id_fkey",
                "idx_comment_issue",
                "issue.id",
                "issue.issue_status_check",
                "member.member_workspace_id_user_id_key",
            ],
        "{missing:?}"
    );
    let added: i64 = value(
        &mut client,
        "SELECT count(*) FROM pg_constraint WHERE conname IN
             ('issue_status_check', 'member_workspace_id_user_id_key', 'comment_issue_id_fkey')",
    )?;
    ensure!(added == 0, "{added} constraints were added");
    // The reported statements add the constraints after the row that violates one is corrected.
    client.batch_execute("UPDATE issue SET status = 'todo' WHERE status = 'someday'")?;
    for step in steps.iter().filter(|step| step.action == "missing") {
        client.batch_execute(step.ddl.as_deref().context("a statement")?)?;
    }
    all_adopted(&install(&mut client)?)
}

/// Without the unique index of pending tasks, two concurrent enqueues would both succeed.
pub fn missing_pending_slot_is_added(context: &Context) -> Result<()> {
    let database = server(context, "DROP INDEX idx_one_pending_task_per_issue_agent")?;
    let mut client = database.connect()?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "created").contains(&"idx_one_pending_task_per_issue_agent"), "{steps:?}");
    let error = client
        .batch_execute(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             SELECT agent_id, runtime_id, issue_id FROM agent_task_queue WHERE status = 'queued'",
        )
        .expect_err("a second pending task was inserted");
    ensure!(error.code().is_some_and(|code| code.code() == "23505"), "{error}");
    Ok(())
}

/// A failed CREATE INDEX CONCURRENTLY leaves an invalid index under the name that install needs.
pub fn error_names_invalid_index(context: &Context) -> Result<()> {
    let database = server(
        context,
        "CREATE INDEX multica_task_runtime ON agent_task_queue (runtime_id, status);
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'multica_task_runtime'::regclass",
    )?;
    let mut client = database.connect()?;
    let error = refusal(&mut client)?;
    ensure!(error.code().code() == "55000", "{error}");
    ensure!(error.message().contains("multica_task_runtime"), "{error}");
    ensure!(error.hint().is_some_and(|hint| hint.contains("Drop")), "{error:?}");
    client.batch_execute("DROP INDEX multica_task_runtime")?;
    install(&mut client)?;
    Ok(())
}

/// While install waits for a lock, all later statements on the table wait behind it. So install must stop waiting after
/// a short time.
pub fn install_stops_waiting_for_locked_table(context: &Context) -> Result<()> {
    let database = server(context, "")?;
    let (mut busy, mut client) = (database.connect()?, database.connect()?);
    let mut writer = busy.transaction()?;
    writer.execute("UPDATE agent_task_queue SET priority = priority", &[])?;
    let started = Instant::now();
    let error = refusal(&mut client)?;
    ensure!(error.code().code() == "55P03", "{error}");
    ensure!(started.elapsed() < Duration::from_secs(20), "waited {:?}", started.elapsed());
    client.batch_execute("SET lock_timeout = '50ms'")?;
    let started = Instant::now();
    ensure!(refusal(&mut client)?.code().code() == "55P03", "install did not use the caller's lock_timeout");
    ensure!(started.elapsed() < Duration::from_secs(4), "waited {:?}", started.elapsed());
    writer.commit()?;
    client.batch_execute("RESET lock_timeout; BEGIN")?;
    install(&mut client)?;
    let left: String = value(&mut client, "SHOW lock_timeout")?;
    ensure!(left == "0", "install left lock_timeout at {left} in the caller's transaction");
    Ok(())
}

/// Without a lock two concurrent installs would both find a table missing, and one would fail.
pub fn concurrent_installs_succeed(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut first = database.connect()?;
    first.batch_execute("CREATE EXTENSION multica")?;
    let mut holder = first.transaction()?;
    holder.execute("SELECT FROM multica_install()", &[])?;
    std::thread::scope(|scope| -> Result<()> {
        let second = scope.spawn(|| install(&mut database.connect()?));
        Cluster::wait_until("the second install waits", Duration::from_secs(10), || {
            let waiting: i64 = value(
                &mut database.connect()?,
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
            )?;
            Ok(waiting == 1)
        })?;
        holder.commit()?;
        all_adopted(&second.join().expect("the second install does not panic")?)
    })
}

/// Install warns about a trigger function without its own search_path, a schema in which every role may create objects,
/// and a new column without a default.
pub fn install_warns_of_unsafe_objects(context: &Context) -> Result<()> {
    let database = server(
        context,
        "CREATE FUNCTION loose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
         CREATE FUNCTION tight() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN RETURN NEW; END $$;
         CREATE TRIGGER one BEFORE UPDATE ON issue FOR EACH ROW EXECUTE FUNCTION loose();
         CREATE TRIGGER two BEFORE UPDATE ON issue FOR EACH ROW EXECUTE FUNCTION tight();
         ALTER TABLE agent_task_queue ADD COLUMN squad text NOT NULL DEFAULT 'none', ADD COLUMN lane text NOT NULL DEFAULT '';
         ALTER TABLE agent_task_queue ALTER COLUMN squad DROP DEFAULT;
         ALTER TABLE agent_task_queue DROP CONSTRAINT agent_task_queue_status_check,
             ADD CONSTRAINT statuses CHECK (status IN
                 ('queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled', 'deferred', 'paused'));
         GRANT CREATE ON SCHEMA public TO PUBLIC",
    )?;
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&messages);
    let mut client = database
        .cluster()
        .config(&database.name)
        .notice_callback(move |notice| collected.lock().unwrap().push(notice.message().to_string()))
        .connect(NoTls)?;
    install(&mut client)?;
    let warnings = messages.lock().unwrap().join("; ");
    ensure!(warnings.contains("loose()"), "{warnings}");
    ensure!(!warnings.contains("tight()"), "{warnings}");
    ensure!(warnings.contains("every role may create objects in schema public"), "{warnings}");
    ensure!(warnings.contains("no default: agent_task_queue.squad"), "{warnings}");
    ensure!(!warnings.contains("lane"), "{warnings}");
    ensure!(warnings.contains("task status \"paused\" is unknown"), "{warnings}");
    messages.lock().unwrap().clear();
    client.batch_execute(
        "ALTER TABLE agent_task_queue DROP CONSTRAINT statuses;
         UPDATE agent_task_queue SET status = 'halted' WHERE id = (SELECT id FROM agent_task_queue LIMIT 1)",
    )?;
    install(&mut client)?;
    let warnings = messages.lock().unwrap().join("; ");
    ensure!(warnings.contains("task status \"halted\" is unknown"), "{warnings}");
    Ok(())
}
