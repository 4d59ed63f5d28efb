//! Reruns of an issue and of a task.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{enqueue, expect_task, has, md5, set_status};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{expect, expect_state, value};

/// Whether reruns leave alone what runs, as those of today's server do.
fn follows_server(features: &[String]) -> bool {
    has(features, "provenance") && !has(features, "own")
}

/// Reruns, and returns the new task.
fn rerun(client: &mut Client, call: &str) -> Result<String> {
    value(client, &format!("SELECT id FROM {call}"))
}

/// Queues and starts a task of issue e with this session.
fn run(client: &mut Client, session: &str) -> Result<String> {
    let task = enqueue(client, &format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 1")))?;
    set_status(client, &task, "running")?;
    client.batch_execute(&format!(
        "UPDATE agent_task_queue SET session_id = '{session}', work_dir = '/{session}' WHERE id = '{task}'"
    ))?;
    Ok(task)
}

pub fn running_task_goes_on_beside_a_server(context: &Context) -> Result<()> {
    on_all_tables(context, &["provenance"], "enqueue", |_, client, features| {
        if !follows_server(features) {
            return Ok(());
        }
        let running = run(client, "s")?;
        let queued = enqueue(client, &format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 2")))?;
        let deferred =
            enqueue(client, &format!("multica_enqueue_issue({}, run_after => '2100-01-01')", md5("issue e")))?;
        let of_other = enqueue(client, &format!("multica_enqueue_mention({}, {})", md5("issue e"), md5("agent f")))?;
        let new = rerun(client, &format!("multica_rerun({})", md5("issue e")))?;
        for (task, status) in
            [(&running, "running"), (&queued, "cancelled"), (&deferred, "cancelled"), (&of_other, "queued")]
        {
            expect_task(client, task, "status", status)?;
        }
        let row = format!(
            "status, attempt, parent_task_id IS NULL, rerun_of_task_id = '{running}', force_fresh_session, session_id, work_dir,
             trigger_comment_id = {}",
            md5("comment 2")
        );
        expect_task(client, &new, &row, "queued 1 t t t   t")?;
        // A claimed task is replaced, and one that waits for its directory goes on.
        set_status(client, &new, "dispatched")?;
        let second = rerun(client, &format!("multica_rerun({})", md5("issue e")))?;
        expect_task(client, &new, "status, completed_at IS NOT NULL", "cancelled t")?;
        client.batch_execute(&format!(
            "UPDATE agent_task_queue SET status = 'completed', completed_at = now() WHERE id = '{running}';
             UPDATE agent_task_queue SET status = 'waiting_local_directory', dispatched_at = now() WHERE id = '{second}'"
        ))?;
        rerun(client, &format!("multica_rerun({})", md5("issue e")))?;
        expect_task(client, &second, "status", "waiting_local_directory")
    })
}

pub fn rerun_cancels_what_runs_in_other_tables(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        if follows_server(features) {
            return Ok(());
        }
        let running = run(client, "s")?;
        let queued = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        let new = rerun(client, &format!("multica_rerun({})", md5("issue e")))?;
        for task in [&running, &queued] {
            expect_task(client, task, "status", "cancelled")?;
        }
        expect_task(client, &new, "status, attempt, session_id, work_dir", "queued 1 s /s")?;
        if has(features, "fresh") {
            expect_task(client, &new, "force_fresh_session", "f")?;
        }
        if has(features, "provenance") {
            expect_task(client, &new, &format!("rerun_of_task_id = '{running}'"), "t")?;
        }
        // A rerun of a task does not: it waits behind what runs.
        set_status(client, &new, "running")?;
        let of_task = rerun(client, &format!("multica_rerun_task('{running}')"))?;
        expect_task(client, &new, "status", "running")?;
        expect_task(client, &of_task, "status, session_id, work_dir", "queued s /s")
    })
}

pub fn rerun_answers_the_comments_of_cancelled_tasks(context: &Context) -> Result<()> {
    on_all_tables(context, &["coalesced", "deferred"], "enqueue", |_, client, _| {
        let with = |n: i32| format!("multica_enqueue_issue({}, {})", md5("issue e"), md5(&format!("comment {n}")));
        enqueue(client, &with(1))?;
        enqueue(client, &with(2))?;
        let plan = |trigger: &str, others: &[i32]| {
            let others: Vec<String> = others.iter().map(|n| md5(&format!("comment {n}"))).collect();
            format!(
                "trigger_comment_id = {}, coalesced_comment_ids = ARRAY[{}]::uuid[]",
                md5(&format!("comment {trigger}")),
                others.join(", ")
            )
        };
        let first = rerun(client, &format!("multica_rerun({})", md5("issue e")))?;
        expect_task(client, &first, &plan("2", &[1]), "t t")?;
        let second = rerun(client, &format!("multica_rerun({}, {})", md5("issue e"), md5("comment 3")))?;
        expect_task(client, &second, &plan("3", &[1, 2]), "t t")?;
        // The comment of a task that is rerun stays its trigger, also beside a newer comment that waits.
        set_status(client, &second, "completed")?;
        enqueue(client, &with(4))?;
        let third = rerun(client, &format!("multica_rerun_task('{second}')"))?;
        expect_task(client, &third, &plan("3", &[1, 2, 4]), "t t")?;
        expect(
            client,
            "SELECT count(*) FROM agent_task_queue WHERE issue_id = md5('issue e')::uuid AND status = 'queued'",
            "1",
        )
    })
}

pub fn rerun_of_a_task_keeps_its_agent_and_role(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let mention = format!(
            "multica_enqueue_mention({}, {}, {}, priority => 7, max_attempts => 5, context => '{{\"n\": 1e400}}')",
            md5("issue e"),
            md5("agent f"),
            md5("comment 1")
        );
        let task = enqueue(client, &mention)?;
        let mut role = String::new();
        if has(features, "leader_task") {
            client.batch_execute(&format!("UPDATE agent_task_queue SET is_leader_task = true WHERE id = '{task}'"))?;
            role.push_str(", is_leader_task");
        }
        if has(features, "task_squad") {
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET squad_id = {} WHERE id = '{task}'",
                md5("squad")
            ))?;
            role.push_str(", squad_id = md5('squad')::uuid");
        }
        client.batch_execute(&format!(
            "UPDATE agent_task_queue SET status = 'failed', attempt = 3, failure_reason = 'agent_error', dispatched_at = now(),
                 completed_at = now() WHERE id = '{task}'"
        ))?;
        let new = rerun(client, &format!("multica_rerun_task('{task}')"))?;
        let row = format!(
            "agent_id = {}, issue_id = {}, trigger_comment_id = {}, priority, attempt, max_attempts, context = '{{\"n\": 1e400}}',
             parent_task_id IS NULL, status{role}",
            md5("agent f"),
            md5("issue e"),
            md5("comment 1")
        );
        let expected = format!("t t t 7 1 5 t t queued{}", " t".repeat(role.matches(", ").count()));
        expect_task(client, &new, &row, &expected)?;
        if has(features, "provenance") {
            let columns = format!("rerun_of_task_id = '{task}', retry_of_task_id IS NULL, force_fresh_session");
            expect_task(client, &new, &columns, "t t t")?;
        }
        // Repeated, it replaces the one that waits.
        let again = rerun(client, &format!("multica_rerun_task('{task}')"))?;
        ensure!(again != new, "the task was not replaced");
        expect_task(client, &new, "status", "cancelled")?;
        expect(
            client,
            &format!(
                "SELECT type FROM multica_event_log WHERE payload ->> 'task_id' IN ('{new}', '{again}') ORDER BY id"
            ),
            "task:queued\ntask:cancelled\ntask:queued",
        )
    })
}

pub fn rerun_of_a_task_without_an_issue(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, _| {
        for (call, source) in [
            (format!("multica_enqueue_chat({}, context => '[2]')", md5("chat e")), "chat_session_id"),
            (format!("multica_enqueue_autopilot({}, context => '[2]')", md5("run e")), "autopilot_run_id"),
            (format!("multica_enqueue({}, '[2]')", md5("agent e")), "issue_id"),
        ] {
            let task = enqueue(client, &call)?;
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET status = 'cancelled', dispatched_at = now(), completed_at = now() WHERE id = '{task}';
                 UPDATE autopilot_run SET status = 'failed', completed_at = now() WHERE task_id = '{task}'"
            ))?;
            let new = rerun(client, &format!("multica_rerun_task('{task}')"))?;
            let same = format!(
                "status, context, {source} IS NOT DISTINCT FROM (SELECT o.{source} FROM agent_task_queue AS o WHERE o.id = '{task}')"
            );
            expect_task(client, &new, &same, "queued [2] t")?;
            // Nothing else of the agent is cancelled, and the run stays as it is.
            rerun(client, &format!("multica_rerun_task('{task}')"))?;
            expect_task(client, &new, "status", "queued")?;
        }
        expect(
            client,
            &format!("SELECT status, completed_at IS NOT NULL FROM autopilot_run WHERE id = {}", md5("run e")),
            "failed t",
        )
    })
}

/// The session of the rerun task is offered again only where resuming it cannot repeat the failure. The directory is
/// kept. Beside a server the row says that no session is resumed, and the claim reads the rest from the rerun task.
pub fn session_that_failed_for_good_is_not_resumed(context: &Context) -> Result<()> {
    on_all_tables(context, &["fresh"], "enqueue", |_, client, features| {
        let task = run(client, "s")?;
        let set = |columns: &str| format!("UPDATE agent_task_queue SET {columns} WHERE id = '{task}'");
        client.batch_execute(&set("status = 'failed', failure_reason = 'timeout', completed_at = now()"))?;
        let mut cases = vec![("failure_reason = 'timeout'", true)];
        cases.extend([
            ("failure_reason = 'iteration_limit'", false),
            ("failure_reason = NULL, error = '400 invalid_request_error'", false),
        ]);
        cases.push(("error = NULL, runtime_id = md5('runtime f')::uuid", false));
        if has(features, "retired") {
            cases.push(("runtime_id = md5('runtime e')::uuid, retired_session_id = session_id", false));
        }
        if has(features, "rollout") {
            cases.push(("runtime_id = md5('runtime e')::uuid, session_rollout_missing = true", false));
        }
        for (columns, resumes) in cases {
            client.batch_execute(&set(columns))?;
            for call in [format!("multica_rerun({})", md5("issue e")), format!("multica_rerun_task('{task}')")] {
                let new = rerun(client, &call)?;
                let (session, dir) = match (follows_server(features), resumes) {
                    (true, _) => ("", ""),
                    (false, true) => ("s", "/s"),
                    (false, false) => ("", "/s"),
                };
                let fresh = if session.is_empty() { "t" } else { "f" };
                let row = "session_id, work_dir, force_fresh_session";
                expect_task(client, &new, row, &format!("{session} {dir} {fresh}"))?;
                if has(features, "provenance") {
                    expect_task(client, &new, &format!("rerun_of_task_id = '{task}'"), "t")?;
                }
            }
        }
        Ok(())
    })
}

pub fn only_an_ended_task_is_rerun(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let task = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        let call = format!("SELECT multica_rerun_task('{task}')");
        for status in ["queued", "dispatched", "running"] {
            if status != "queued" {
                set_status(client, &task, status)?;
            }
            expect_state(client, &call, "55000")?;
        }
        expect_state(client, "SELECT multica_rerun_task('00000000-0000-4000-8000-000000000000')", "P0002")?;
        set_status(client, &task, "completed")?;
        expect_state(client, &format!("SELECT multica_rerun_task('{task}', {})", md5("task")), "P0002")?;
        // Nothing is left of what a task was for.
        let turn = enqueue(client, &format!("multica_enqueue_chat({})", md5("chat e")))?;
        set_status(client, &turn, "completed")?;
        if has(features, "chat_runtime") {
            client.batch_execute("UPDATE chat_session SET status = 'archived' WHERE id = md5('chat e')::uuid")?;
            expect_state(client, &format!("SELECT multica_rerun_task('{turn}')"), "55000")?;
        }
        client.batch_execute("DELETE FROM chat_session WHERE id = md5('chat e')::uuid")?;
        expect_state(client, &format!("SELECT multica_rerun_task('{turn}')"), "55000")?;
        client.batch_execute("UPDATE agent SET archived_at = now() WHERE id = md5('agent e')::uuid")?;
        expect_state(client, &call, "55000")
    })
}
