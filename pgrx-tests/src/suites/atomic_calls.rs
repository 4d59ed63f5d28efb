//! Calls are atomic where the server has a window between two statements: a call is cancelled, fails, or meets another
//! transaction in the middle.

use anyhow::{Context as _, Result, ensure};
use uuid::Uuid;

use super::Suite;
use super::crash::{DELETE, ISSUE, RECOVER, REGISTER, SWEEP, fleet, nothing_and_then_all, stopped};
use super::support::{digest, expect, expect_state, expect_story, start};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    cancelled_recovery_changes_nothing,
    refused_retry_insert_fails_no_task,
    one_refused_runtime_rolls_back_registration,
    agent_binding_and_runtime_deletion_exclude_each_other,
    status_set_by_user_during_verdict_is_kept,
];

/// A daemon disconnects while its orphans are recovered (W3). Its server cancels the statement.
fn cancelled_recovery_changes_nothing(context: &Context) -> Result<()> {
    let database = fleet(context.fresh_database()?, &RECOVER)?;
    let before = digest(context, &database)?;
    let (holder, running) = stopped(&database, &RECOVER, ISSUE)?;
    database.connect()?.query("SELECT pg_cancel_backend($1)", &[&running.pid])?;
    running.finish_with_state("57014")?;
    drop(holder);
    nothing_and_then_all(context, &database, &RECOVER, ISSUE, &before)
}

/// If the insert of a retry fails (W4), its task is not failed either.
fn refused_retry_insert_fails_no_task(context: &Context) -> Result<()> {
    let database = fleet(context.fresh_database()?, &SWEEP)?;
    let mut client = database.connect()?;
    const CALLS: [&str; 3] = [SWEEP.sql, RECOVER.sql, REGISTER.sql];
    let mut retried: Vec<Vec<Uuid>> = Vec::new();
    for sql in CALLS {
        client.batch_execute("BEGIN")?;
        client.batch_execute(sql)?;
        let tasks = client.query(
            "SELECT parent_task_id FROM agent_task_queue WHERE created_at >= now() AND parent_task_id IS NOT NULL",
            &[],
        )?;
        client.batch_execute("ROLLBACK")?;
        retried.push(tasks.iter().map(|row| row.get(0)).collect());
    }
    ensure!(!retried.concat().is_empty(), "nothing is retried");
    client.batch_execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION refuse()",
    )?;
    for (sql, tasks) in CALLS.into_iter().zip(retried) {
        client.batch_execute("BEGIN")?;
        client.batch_execute(sql)?;
        let failed: i64 = client
            .query_one("SELECT count(*) FROM agent_task_queue WHERE id = ANY ($1) AND status = 'failed'", &[&tasks])?
            .get(0);
        client.batch_execute("ROLLBACK")?;
        ensure!(failed == 0, "{sql} failed {failed} tasks without their retries");
    }
    client.batch_execute("DROP TRIGGER refuse ON agent_task_queue")?;
    client.batch_execute(SWEEP.sql)?;
    expect_story(context, &database, SWEEP.story)
}

/// The second of three runtimes cannot be written (W20). No runtime is registered, and no event is recorded.
fn one_refused_runtime_rolls_back_registration(context: &Context) -> Result<()> {
    let database = fleet(context.fresh_database()?, &REGISTER)?;
    let before = digest(context, &database)?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE TRIGGER refuse AFTER INSERT ON agent_runtime FOR EACH ROW
         WHEN (NEW.provider = 'codex') EXECUTE FUNCTION refuse()",
    )?;
    expect_state(
        &mut client,
        r#"SELECT * FROM multica_register('00000000-0000-4000-8000-0000000000a1',
            '{"daemon_id": "new", "runtimes": [{"type": "claude"}, {"type": "codex"}, {"type": "gemini"}]}')"#,
        "23514",
    )?;
    ensure!(before == digest(context, &database)?, "a row was changed");
    Ok(())
}

/// An agent that is bound between the check and the delete (W22) keeps the runtime and every archived agent; an agent
/// that is bound later gets an error, because the runtime is gone.
fn agent_binding_and_runtime_deletion_exclude_each_other(context: &Context) -> Result<()> {
    let database = fleet(context.fresh_database()?, &DELETE)?;
    let bind = "INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id)
                VALUES ('00000000-0000-4000-8000-0000000000c9', '00000000-0000-4000-8000-0000000000a1', 'Late', 'local',
                        '00000000-0000-4000-8000-0000000000b3')";
    let mut binding = database.connect()?;
    let mut observer = database.connect()?;
    binding.batch_execute("BEGIN")?;
    binding.batch_execute(bind)?;
    let deleting = start(&database, DELETE.sql)?;
    deleting.wait_until_blocked(&mut observer)?;
    binding.batch_execute("COMMIT")?;
    // The foreign key of the agent would raise 55006 too, but only at the end of the call.
    let error = deleting.finish().err().context("the runtime is deleted")?;
    let error = error.as_db_error().context("an error of the server")?;
    ensure!(error.code().code() == "55006" && error.message().contains("active agent"), "{error:?}");
    expect(
        &mut observer,
        "SELECT a.name, count(t.id) FROM agent AS a LEFT JOIN agent_task_queue AS t ON t.agent_id = a.id
         WHERE a.runtime_id = '00000000-0000-4000-8000-0000000000b3' GROUP BY 1 ORDER BY 1",
        "Cy 1\nLate 0",
    )?;

    observer.batch_execute("DELETE FROM agent WHERE name = 'Late'")?;
    let (holder, deleting) = stopped(&database, &DELETE, ("agent", "DELETE"))?;
    let late = start(&database, bind)?;
    late.wait_until_blocked(&mut observer)?;
    drop(holder);
    ensure!(deleting.finish().is_ok(), "the runtime is not deleted");
    late.finish_with_state("23503")
}

/// An issue whose status a user is changing (W6) is not reset, neither by a sweep, which skips it, nor by a recovery,
/// which waits.
fn status_set_by_user_during_verdict_is_kept(context: &Context) -> Result<()> {
    let database = fleet(context.fresh_database()?, &SWEEP)?;
    let (mut user, mut observer) = (database.connect()?, database.connect()?);
    let of_docs = "SELECT i.status, t.status FROM issue AS i JOIN agent_task_queue AS t ON t.issue_id = i.id
                   WHERE i.title = 'docs'";
    user.batch_execute("BEGIN; UPDATE issue SET status = 'in_review' WHERE title = 'docs'")?;
    let mut sweeper = database.connect()?;
    sweeper.batch_execute("SET lock_timeout = '10s'")?;
    sweeper.batch_execute(SWEEP.sql)?;
    expect(&mut observer, of_docs, "in_progress dispatched")?;
    let recovering = start(&database, RECOVER.sql)?;
    recovering.wait_until_blocked(&mut observer)?;
    user.batch_execute("COMMIT")?;
    ensure!(recovering.finish().is_ok(), "the recovery fails");
    expect(&mut observer, of_docs, "in_review failed")
}
