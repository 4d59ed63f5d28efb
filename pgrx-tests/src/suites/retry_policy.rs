//! The policy of retries: the built-in rules, and what the operator changes of them.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::cases::on_generations;
use super::server_consequences::{child, fail, insert_work};
use super::support::{expect, expect_state, id, team, values};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    built_in_rules_decide_about_each_reason,
    network_failure_is_retried_twice_and_later,
    stuck_session_is_not_kept,
    lost_or_retired_session_is_not_resumed,
    retry_is_called_by_itself,
    retry_waits_for_its_runtime_beside_a_server,
    retry_is_queued_at_once_without_a_server,
    operator_changes_single_attributes,
    delay_grows_up_to_a_day,
    table_refuses_impossible_rules,
    calls_work_without_the_table,
];

/// Reasons, and whether a task that fails for them is retried.
const RETRIED: [(&str, bool); 15] = [
    ("runtime_offline", true),
    ("runtime_recovery", true),
    ("timeout", true),
    ("idle_timeout", true),
    ("skill_bundle_unavailable", true),
    ("agent_error.provider_network", true),
    ("codex_semantic_inactivity", true),
    ("iteration_limit", false),
    ("api_invalid_request", false),
    ("agent_error.context_overflow", false),
    ("queued_expired", false),
    ("agent_error.unknown", false),
    ("agent_error", false),
    ("of a later server", false),
    ("", false),
];

/// Deletes the retries of a task.
fn again(client: &mut Client, label: &str) -> Result<()> {
    Ok(client.batch_execute(&format!("DELETE FROM agent_task_queue WHERE parent_task_id = md5('{label}')::uuid"))?)
}

fn built_in_rules_decide_about_each_reason(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        for (reason, is_retried) in RETRIED {
            for (most, expected) in [(2, is_retried), (1, false)] {
                again(client, "task x")?;
                client.batch_execute(&format!(
                    "UPDATE agent_task_queue SET max_attempts = {most} WHERE id = md5('task x')::uuid"
                ))?;
                let retried = fail(client, "task x", reason)?.starts_with("1 ");
                ensure!(retried == expected, "{reason} with {most} attempts: {retried}");
            }
        }
        Ok(())
    })
}

/// One more attempt than the task allows, at once after the first failure, five seconds after the second one.
fn network_failure_is_retried_twice_and_later(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        let features = values(client, "SELECT unnest(features) FROM multica_status()")?;
        let is_deferred = features.iter().any(|name| name == "deferred");
        let reason = "agent_error.provider_network";
        ensure!(fail(client, "task x", reason)? == "1 0", "no retry");
        expect(client, &child("status, attempt, max_attempts", "task x"), "queued 2 3")?;
        let rename = |label: &str, parent: &str| {
            format!(
                "UPDATE agent_task_queue SET id = md5('{label}')::uuid, dispatched_at = now()
                 WHERE parent_task_id = md5('{parent}')::uuid"
            )
        };
        client.batch_execute(&rename("task second", "task x"))?;
        ensure!(fail(client, "task second", reason)? == "1 0", "no second retry");
        let status = if is_deferred { "deferred 3 3" } else { "queued 3 3" };
        expect(client, &child("status, attempt, max_attempts", "task second"), status)?;
        if is_deferred {
            let delay = "fire_at BETWEEN now() + interval '3 seconds' AND now() + interval '5 seconds'";
            expect(client, &child(delay, "task second"), "t")?;
        }
        client.batch_execute(&rename("task third", "task second"))?;
        ensure!(fail(client, "task third", reason)? == "0 1", "a fourth attempt");
        Ok(())
    })
}

fn stuck_session_is_not_kept(context: &Context) -> Result<()> {
    on_generations(context, &["fresh"], |client, _| {
        insert_work(context, client)?;
        ensure!(fail(client, "task x", "codex_semantic_inactivity")? == "1 0", "no retry");
        expect(client, &child("session_id, work_dir, force_fresh_session", "task x"), "  t")?;
        again(client, "task x")?;
        ensure!(fail(client, "task x", "timeout")? == "1 0", "no retry");
        expect(client, &child("session_id, work_dir, force_fresh_session", "task x"), "session x /work/x f")
    })
}

fn lost_or_retired_session_is_not_resumed(context: &Context) -> Result<()> {
    on_generations(context, &["rollout", "retired"], |client, _| {
        insert_work(context, client)?;
        for lost in
            ["session_rollout_missing = true", "session_rollout_missing = false, retired_session_id = session_id"]
        {
            again(client, "task x")?;
            client.batch_execute(&format!("UPDATE agent_task_queue SET {lost} WHERE id = md5('task x')::uuid"))?;
            ensure!(fail(client, "task x", "timeout")? == "1 0", "no retry");
            expect(client, &child("session_id, work_dir", "task x"), " /work/x")?;
        }
        Ok(())
    })
}

/// A task that the server has failed is retried by the one call, once.
fn retry_is_called_by_itself(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "UPDATE agent_task_queue SET status = 'failed', completed_at = now(), failure_reason = 'timeout'
             WHERE id = md5('task x')::uuid",
        )?;
        let retry = "SELECT status, attempt FROM multica_retry(md5('task x')::uuid)";
        expect(client, retry, "queued 2")?;
        expect(client, retry, "")
    })
}

fn retry_waits_for_its_runtime_beside_a_server(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 day'
             WHERE id = md5('runtime x')::uuid",
        )?;
        client.batch_execute("SELECT FROM multica_fail_tasks_for_offline_runtimes(0)")?;
        let due = "status, fire_at - now() BETWEEN interval '0' AND interval '1 second'";
        expect(client, &child(due, "task x"), "deferred t")?;
        expect(
            client,
            "SELECT e.type, e.payload ->> 'failure_reason', e.payload ->> 'retry_pending'
             FROM multica_event_log AS e JOIN agent_task_queue AS t ON t.id::text = e.payload ->> 'task_id'
             WHERE md5('task x')::uuid IN (t.id, t.parent_task_id)",
            "task:failed runtime_offline true",
        )?;
        expect(
            client,
            "SELECT payload ->> 'retry_pending' FROM multica_event_log
             WHERE type = 'task:failed' AND payload ->> 'task_id' = md5('task running in silence')::uuid::text",
            "",
        )
    })
}

fn retry_is_queued_at_once_without_a_server(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'); UPDATE agent_task_queue SET issue_id = {}",
        id("d1")
    ))?;
    let failed = "SELECT retry_task_id IS NOT NULL FROM multica_fail";
    expect(&mut client, &format!("{failed}({}, 'x', 'runtime_offline')", id("e1")), "t")?;
    expect(&mut client, "SELECT status, fire_at FROM agent_task_queue WHERE attempt = 2", "queued ")?;
    // A delay is obeyed in every table that has fire_at.
    client.batch_execute(
        "INSERT INTO multica_retry_policy (reason, delay_secs) VALUES ('timeout', 60);
         UPDATE agent_task_queue SET status = 'running', max_attempts = 3 WHERE attempt = 2",
    )?;
    expect(
        &mut client,
        &format!("{failed}((SELECT id FROM agent_task_queue WHERE attempt = 2), 'x', 'timeout')"),
        "t",
    )?;
    expect(&mut client, "SELECT status, fire_at > now() FROM agent_task_queue WHERE attempt = 3", "deferred t")?;
    expect(
        &mut client,
        "SELECT count(*) FROM multica_event_log WHERE type = 'task:queued' AND payload ->> 'attempt' = '3'",
        "0",
    )
}

fn operator_changes_single_attributes(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        expect(client, "SELECT count(*) FROM multica_retry_policy", "0")?;
        expect(client, "SELECT count(*), bool_or(is_changed) FROM multica_retry_policy_in_force()", "13 f")?;
        client.batch_execute(
            "INSERT INTO multica_retry_policy (reason, is_retried) VALUES ('timeout', false), ('agent_error', true), ('*', true);
             INSERT INTO multica_retry_policy (reason, max_attempts) VALUES ('mine', 7)",
        )?;
        let rule = |reason: &str| {
            format!(
                "SELECT is_retried, max_attempts, keeps_session, is_changed FROM multica_retry_policy_in_force()
                 WHERE reason = '{reason}'"
            )
        };
        for (reason, expected) in [
            ("timeout", "f 0 t t"),
            ("agent_error", "t 0 t t"),
            ("mine", "t 7 t t"),
            ("*", "t 0 t t"),
            ("runtime_offline", "t 0 t f"),
            ("iteration_limit", "f 0 t f"),
        ] {
            expect(client, &rule(reason), expected)?;
        }
        for (reason, is_retried) in [
            ("timeout", false),
            ("agent_error", true),
            ("mine", true),
            ("something else", true),
            ("runtime_offline", true),
            ("iteration_limit", false),
        ] {
            again(client, "task x")?;
            let retried = fail(client, "task x", reason)?.starts_with("1 ");
            ensure!(retried == is_retried, "{reason}: {retried}");
        }
        Ok(())
    })
}

fn delay_grows_up_to_a_day(context: &Context) -> Result<()> {
    on_generations(context, &["deferred"], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "INSERT INTO multica_retry_policy (reason, delay_secs, backoff_factor, jitter, max_attempts)
             VALUES ('timeout', 10, 3, 0.5, 2147483647)",
        )?;
        for (attempt, least) in [(1, 10.0), (2, 30.0), (3, 90.0), (1_000_000, 86400.0)] {
            again(client, "task x")?;
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET attempt = {attempt} WHERE id = md5('task x')::uuid"
            ))?;
            ensure!(fail(client, "task x", "timeout")? == "1 0", "no retry of attempt {attempt}");
            let most = least * 1.5;
            let delay = format!(
                "status, fire_at BETWEEN now() - interval '10 seconds' + interval '{least} seconds' AND now() + interval '{most} seconds'"
            );
            expect(client, &child(&delay, "task x"), "deferred t")?;
        }
        Ok(())
    })
}

fn table_refuses_impossible_rules(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    for wrong in [
        "max_attempts) VALUES ('timeout', -1",
        "delay_secs) VALUES ('timeout', 'NaN'",
        "delay_secs) VALUES ('timeout', 86401",
        "delay_from_attempt) VALUES ('timeout', 0",
        "backoff_factor) VALUES ('timeout', 0.5",
        "jitter) VALUES ('timeout', 1.5",
    ] {
        expect_state(&mut client, &format!("INSERT INTO multica_retry_policy (reason, {wrong})"), "23514")?;
    }
    expect_state(&mut client, "INSERT INTO multica_retry_policy (is_retried) VALUES (true)", "23502")
}

/// The table is missing between an update of the extension and the install after it.
fn calls_work_without_the_table(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        client.batch_execute("INSERT INTO multica_retry_policy (reason, is_retried) VALUES ('timeout', false)")?;
        ensure!(fail(client, "task x", "timeout")?.starts_with("0 "), "the table is not read");
        client.batch_execute("DROP TABLE multica_retry_policy")?;
        ensure!(fail(client, "task x", "timeout")?.starts_with("1 "), "no retry without the table");
        fail(client, "task turn", "agent_error")?;
        expect(client, "SELECT count(*), bool_or(is_changed) FROM multica_retry_policy_in_force()", "13 f")?;
        // A table of the same name in another schema is not read.
        client.batch_execute("CREATE TEMP TABLE multica_retry_policy (reason text, is_retried boolean)")?;
        expect(client, "SELECT count(*) FROM multica_retry_policy_in_force()", "13")
    })
}
