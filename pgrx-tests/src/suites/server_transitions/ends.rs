//! What completion and failure leave behind.

use anyhow::{Result, ensure};
use postgres::Client;

use super::{of, on_own_work, on_work, rerun, set, word};
use crate::context::Context;
use crate::suites::support::{expect, expect_state};

const EXTRA: &str = r#"extra => '{"branch_name": "work", "durable_work_dir": "/kept", "retired_session_id": "old"}'"#;

/// Columns of newer servers, each with its feature, and the value that `EXTRA` has for it.
const COLUMNS: [(&str, &str, &str); 3] = [
    ("branch", "branch_name", "work"),
    ("durable", "durable_work_dir", "/kept"),
    ("retired", "retired_session_id", "old"),
];

pub fn what_a_daemon_reports_is_stored(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        for call in [
            "multica_complete(md5('task x')::uuid",
            "multica_fail(md5('task x')::uuid, 'x', 'other'",
            "multica_pin_session(md5('task x')::uuid",
        ] {
            let check = |client: &mut Client, expected: [&str; 3]| -> Result<()> {
                for ((feature, column, _), expected) in COLUMNS.iter().zip(expected) {
                    if place.has(feature) {
                        expect(client, &of(column, "task x"), expected)?;
                    }
                }
                expect(client, &of("session_id, work_dir", "task x"), "session task x /work/task x")
            };
            rerun(place, client, "task x")?;
            client.batch_execute(&format!("SELECT {call}, {EXTRA})"))?;
            check(client, COLUMNS.map(|(_, _, value)| value))?;
            // A report that does not name a value, or names none, keeps it.
            for extra in
                ["NULL", "'{}'", r#"'{"branch_name": null, "durable_work_dir": "", "retired_session_id": ""}'"#]
            {
                set(client, "task x", "status = 'running', completed_at = NULL")?;
                client.batch_execute(&format!("SELECT {call}, extra => {extra}, work_dir => '/work/task x')"))?;
                check(client, COLUMNS.map(|(_, _, value)| value))?;
            }
        }
        Ok(())
    })
}

pub fn lost_transcript_is_never_resumed(context: &Context) -> Result<()> {
    on_work(context, &["rollout", "retired"], |place, client| {
        let lost = r#"extra => '{"session_rollout_missing": true}'"#;
        for call in ["multica_complete(md5('task turn')::uuid", "multica_fail(md5('task turn')::uuid, 'x', 'timeout'"] {
            for session in ["", ", session_id => 'session task turn'"] {
                rerun(place, client, "task turn")?;
                client.batch_execute(
                    "UPDATE chat_session SET session_id = 'session task turn', work_dir = '/work', runtime_id = md5('runtime x')::uuid
                     WHERE id = md5('chat x')::uuid",
                )?;
                client.batch_execute(&format!("SELECT {call}{session}, {lost})"))?;
                expect(
                    client,
                    &of("session_id, session_rollout_missing, retired_session_id, work_dir", "task turn"),
                    " t session task turn /work/task turn",
                )?;
                expect(client, "SELECT session_id, runtime_id FROM chat_session WHERE id = md5('chat x')::uuid", " ")?;
                let retry =
                    "SELECT session_id, work_dir FROM agent_task_queue WHERE parent_task_id = md5('task turn')::uuid";
                expect(client, retry, if call.contains("fail") { " /work/task turn" } else { "" })?;
            }
        }
        Ok(())
    })
}

/// Lets the chat point to a session.
fn point(client: &mut Client, has_runtime: bool, session: &str, runtime: &str) -> Result<()> {
    let runtime = if has_runtime { format!(", runtime_id = md5('runtime {runtime}')::uuid") } else { String::new() };
    client.batch_execute(&format!(
        "UPDATE chat_session SET session_id = '{session}', work_dir = '/pointed'{runtime} WHERE id = md5('chat x')::uuid"
    ))?;
    Ok(())
}

const POINTER: &str = "SELECT session_id, work_dir FROM chat_session WHERE id = md5('chat x')::uuid";

pub fn completed_turn_moves_pointer_of_its_chat(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        let runtime = "SELECT runtime_id = md5('runtime x')::uuid FROM chat_session WHERE id = md5('chat x')::uuid";
        point(client, place.has("chat_runtime"), "before", "y")?;
        rerun(place, client, "task turn")?;
        client.batch_execute("SELECT FROM multica_complete(md5('task turn')::uuid, session_id => 'new')")?;
        expect(client, POINTER, "new /work/task turn")?;
        if place.has("chat_runtime") {
            expect(client, runtime, "t")?;
            // A turn without a session keeps the session and its runtime.
            point(client, true, "before", "y")?;
            rerun(place, client, "task turn")?;
            set(client, "task turn", "session_id = NULL")?;
            client.batch_execute("SELECT FROM multica_complete(md5('task turn')::uuid)")?;
            expect(client, POINTER, "before /work/task turn")?;
            expect(client, runtime, "f")?;
        }
        if place.has("retired") && place.has("chat_runtime") {
            let retire = r#"SELECT FROM multica_complete(md5('task turn')::uuid, extra => '{"retired_session_id": "given up"}')"#;
            for (pointed, runtime, expected) in
                [("given up", "x", ""), ("given up", "y", "given up"), ("another", "x", "another")]
            {
                point(client, true, pointed, runtime)?;
                rerun(place, client, "task turn")?;
                set(client, "task turn", "session_id = NULL")?;
                client.batch_execute(retire)?;
                expect(client, POINTER, &format!("{expected} /work/task turn"))?;
            }
        }
        Ok(())
    })
}

/// Errors after which a session is not resumed, whatever the reason is.
const UNSAFE: [&str; 3] = [
    "API Error: 400 {\"type\": \"invalid_request_error\"}",
    "Could not resolve authentication method",
    "messages.3: content must not be empty",
];

pub fn unsafe_failure_keeps_older_pointer(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        let mut failures = vec![("broken", "iteration_limit")];
        if place.has("fresh") {
            failures.extend(UNSAFE.map(|error| (error, "other")));
        }
        for (error, reason) in failures {
            let fail = format!("SELECT FROM multica_fail(md5('task turn')::uuid, '{error}', '{reason}')");
            point(client, place.has("chat_runtime"), "good", "x")?;
            rerun(place, client, "task turn")?;
            client.batch_execute(&fail)?;
            expect(client, POINTER, "good /pointed")?;
            point(client, place.has("chat_runtime"), "session task turn", "x")?;
            rerun(place, client, "task turn")?;
            client.batch_execute(&fail)?;
            expect(client, POINTER, " /work/task turn")?;
            if place.has("chat_runtime") {
                point(client, true, "session task turn", "y")?;
                rerun(place, client, "task turn")?;
                client.batch_execute(&fail)?;
                expect(client, POINTER, "session task turn /pointed")?;
            }
        }
        // Any other failure moves the pointer, also one because of an image, which only the search for a session leaves out.
        for error in ["messages.3 is broken", "image dimensions exceed max allowed size"] {
            point(client, place.has("chat_runtime"), "good", "y")?;
            rerun(place, client, "task turn")?;
            client.batch_execute(&format!("SELECT FROM multica_fail(md5('task turn')::uuid, '{error}', 'other')"))?;
            expect(client, POINTER, "session task turn /work/task turn")?;
        }
        Ok(())
    })
}

pub fn completion_deletes_tokens_and_settles_quota(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        if place.has("token") {
            client.batch_execute("SELECT FROM multica_complete(md5('task running')::uuid)")?;
            expect(client, "SELECT count(*) FROM task_token WHERE task_id = md5('task running')::uuid", "0")?;
            expect(client, "SELECT count(*) > 0 FROM task_token", "t")?;
        }
        if place.has("quota") {
            client.batch_execute(
                "SELECT FROM multica_complete(md5('task run running')::uuid, '{\"output\": \"done\"}')",
            )?;
            expect(
                client,
                "SELECT r.status, r.result, q.state, p.used_count, p.reserved_count
                 FROM autopilot_run AS r JOIN autopilot_quota_reservation AS q ON q.id = r.quota_reservation_id
                 JOIN autopilot_quota_period AS p ON p.workspace_id = q.workspace_id WHERE r.id = md5('run running')::uuid",
                "completed {\"output\": \"done\"} consumed 2 0",
            )?;
        }
        Ok(())
    })
}

pub fn error_without_reason_is_classified(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        for (error, given, classified, is_retried) in [
            ("dial tcp: i/o timeout", "NULL", "agent_error.provider_network", true),
            ("dial tcp: i/o timeout", "''", "agent_error.provider_network", true),
            ("Resolve skill bundles: no route", "'agent_error'", "skill_bundle_unavailable", true),
            ("it is broken", "NULL", "agent_error.unknown", false),
            ("dial tcp: i/o timeout", "'agent_error'", "agent_error", false),
            ("dial tcp: i/o timeout", "'iteration_limit'", "iteration_limit", false),
        ] {
            rerun(place, client, "task x")?;
            let fail =
                format!("SELECT retry_task_id IS NOT NULL FROM multica_fail(md5('task x')::uuid, '{error}', {given})");
            let without = if given.len() > 4 { given.trim_matches('\'') } else { "agent_error" };
            let (reason, is_retried) = if place.has("fresh") { (classified, is_retried) } else { (without, false) };
            expect(client, &fail, if is_retried { "t" } else { "f" })?;
            expect(client, &of("failure_reason, error", "task x"), &format!("{reason} {error}"))?;
            // The function is the same everywhere.
            expect(client, &format!("SELECT multica_classify_failure('{error}', {given})"), classified)?;
        }
        Ok(())
    })
}

pub fn exhausted_context_is_a_failure(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        let message = "Prompt is too long and cannot be compacted.";
        let complete =
            |result: &str| format!("SELECT status, applied FROM multica_complete(md5('task x')::uuid, '{result}')");
        for result in [format!(r#"{{"output": "{message}", "usage": 1}}"#), format!(r#""{message}""#)] {
            rerun(place, client, "task x")?;
            if !place.has("fresh") {
                expect(client, &complete(&result), "completed t")?;
                continue;
            }
            expect(client, &complete(&result), "failed t")?;
            expect(
                client,
                &of("failure_reason, error, result, session_id", "task x"),
                &format!("agent_error.context_overflow {message}  session task x"),
            )?;
            expect(client, "SELECT status FROM issue WHERE id = md5('issue x')::uuid", "todo")?;
            // Repeated, and for a task that is not running.
            expect(client, &complete(&result), "failed f")?;
            set(client, "task x", "status = 'dispatched', completed_at = NULL")?;
            expect_state(client, &complete(&result), "55000")?;
            client.batch_execute("UPDATE issue SET status = 'in_progress' WHERE id = md5('issue x')::uuid")?;
        }
        // A result that only contains the message is a result.
        for result in [
            format!(r#"{{"output": "{message}{}"}}"#, "x".repeat(300)),
            format!(r#"{{"output": {{"text": "{message}"}}}}"#),
            format!(r#"{{"summary": "{message}"}}"#),
            format!(r#"["{message}"]"#),
        ] {
            rerun(place, client, "task x")?;
            expect(client, &complete(&result), "completed t")?;
        }
        Ok(())
    })
}

pub fn wrong_extra_is_refused(context: &Context) -> Result<()> {
    on_own_work(context, |place, client| {
        rerun(place, client, "task x")?;
        for (extra, named) in [
            ("[]", "\"extra\""),
            ("1", "\"extra\""),
            (r#"{"branch": "work"}"#, "\"extra.branch\""),
            (r#"{"branch_name": 1}"#, "\"extra.branch_name\""),
            (r#"{"session_rollout_missing": "true"}"#, "\"extra.session_rollout_missing\""),
        ] {
            for call in [
                format!("multica_complete(md5('task x')::uuid, extra => '{extra}')"),
                format!("multica_fail(md5('task x')::uuid, 'x', extra => '{extra}')"),
                format!("multica_pin_session(md5('task x')::uuid, 's', extra => '{extra}')"),
                format!("multica_complete_raw(md5('task x')::uuid, extra => '{extra}')"),
                format!("multica_fail_raw(md5('task x')::uuid, 'x', extra => '{extra}')"),
            ] {
                let error = client.batch_execute(&format!("SELECT {call}")).err().map(|error| format!("{error:?}"));
                let error = error.unwrap_or_default();
                ensure!(error.contains("22023") && error.replace('\\', "").contains(named), "{call}: {error}");
            }
        }
        expect(client, &of("status", "task x"), "running")?;
        let found = word(client, "SELECT multica_pin_session(md5('task x')::uuid, '', NULL, NULL, '{}')")?;
        ensure!(found == "22023", "{found}");
        Ok(())
    })
}
