//! Where a claimed task resumes.

use anyhow::{Context as _, Result};
use postgres::Client;

use super::{CLAIM, OF_CHAT, OF_ISSUE, queue, rested};
use crate::context::Context;
use crate::suites::cases::on_generations;
use crate::suites::support::expect;

/// Ended tasks, the last one first: session, runtime, reason and error of the failure; without both it is completed.
type Ended<'a> = [&'a str; 4];

const GOOD: Ended = ["good", "x", "", ""];

/// Inserts ended tasks of the agent, one per hour.
fn end(client: &mut Client, place: &str, tasks: &[Ended]) -> Result<()> {
    client.batch_execute(
        "UPDATE agent_task_queue SET session_id = NULL, work_dir = NULL WHERE agent_id = md5('agent x')::uuid;
         UPDATE chat_session SET session_id = NULL WHERE id = md5('chat x')::uuid",
    )?;
    for (hours, [session, runtime, reason, error]) in tasks.iter().enumerate() {
        let status = if reason.is_empty() && error.is_empty() { "completed" } else { "failed" };
        let at = format!("now() - interval '{} hours'", hours + 1);
        queue(
            client,
            &format!("ended {hours}"),
            &format!(
                "{place}, status = '{status}', created_at = {at}, dispatched_at = {at}, started_at = {at}, completed_at = {at},
                 runtime_id = md5('runtime {runtime}')::uuid, session_id = NULLIF('{session}', ''),
                 work_dir = NULLIF('/{session}', '/'), failure_reason = NULLIF('{reason}', ''), error = NULLIF('{error}', '')"
            ),
        )?;
    }
    Ok(())
}

/// Claims the task, expects where it resumes, and takes everything back.
fn expect_prior(client: &mut Client, more: &str, expected: &str) -> Result<()> {
    queue(client, "one", more)?;
    let prior = format!("SELECT prior_session_id, prior_work_dir FROM {CLAIM} WHERE id = md5('one')::uuid");
    // A task without earlier work has neither.
    expect(client, &prior, if expected.is_empty() { " " } else { expected })?;
    Ok(client.batch_execute("DELETE FROM agent_task_queue WHERE id = md5('one')::uuid")?)
}

/// Runs cases of ended tasks, for an issue and for a chat.
fn in_both_places(client: &mut Client, cases: &[(&[Ended], &str)]) -> Result<()> {
    for place in [OF_ISSUE, OF_CHAT] {
        for (tasks, expected) in cases {
            client.batch_execute("BEGIN")?;
            end(client, place, tasks)?;
            expect_prior(client, place, expected).with_context(|| format!("{tasks:?} {place}"))?;
            client.batch_execute("ROLLBACK")?;
        }
    }
    Ok(())
}

pub fn unsafe_session_is_not_resumed(context: &Context) -> Result<()> {
    on_generations(context, &["fresh", "chat_runtime"], |client, _| {
        rested(context, client)?;
        in_both_places(
            client,
            &[
                (&[["new", "x", "", ""], GOOD], "new /new"),
                (&[["new", "x", "agent_error", "exit status 1"], GOOD], "new /new"),
                (&[["new", "x", "agent_error", "API error 400: Invalid_Request_Error"], GOOD], "good /good"),
                (&[["new", "x", "iteration_limit", ""], GOOD], "good /good"),
                (&[["good", "x", "api_invalid_request", ""], GOOD], ""),
                (&[["new", "y", "", ""], GOOD], " /new"),
                (&[["", "x", "timeout", ""], GOOD], "good /good"),
            ],
        )
    })
}

pub fn retired_session_is_never_resumed(context: &Context) -> Result<()> {
    on_generations(context, &["retired"], |client, _| {
        rested(context, client)?;
        for place in [OF_ISSUE, OF_CHAT] {
            client.batch_execute("BEGIN")?;
            end(client, place, &[["new", "x", "", ""], ["", "x", "", ""], GOOD])?;
            let retire = "UPDATE agent_task_queue SET retired_session_id = 'new' WHERE id = md5('ended 1')::uuid";
            client.batch_execute(retire)?;
            expect_prior(client, place, "good /good")?;
            client.batch_execute(&retire.replace("'new'", "'good'"))?;
            expect_prior(client, place, "new /new")?;
            // Not by the chat's pointer either, nor by the session that a retry carries.
            client.batch_execute(
                "UPDATE chat_session SET session_id = 'good', work_dir = '/good', runtime_id = md5('runtime x')::uuid
                 WHERE id = md5('chat x')::uuid",
            )?;
            expect_prior(client, place, "new /new")?;
            client.batch_execute(
                "UPDATE agent_task_queue SET status = 'failed', failure_reason = 'timeout', session_id = 'good'
                 WHERE id = md5('ended 1')::uuid",
            )?;
            let retry = format!("{place}, session_id = 'good', parent_task_id = md5('ended 1')::uuid");
            expect_prior(client, &retry, "new /new")?;
            client.batch_execute("ROLLBACK")?;
        }
        Ok(())
    })
}

pub fn overflow_blocks_earlier_sessions(context: &Context) -> Result<()> {
    on_generations(context, &["fresh", "chat_runtime"], |client, _| {
        rested(context, client)?;
        let overflow = ["", "x", "agent_error", "thread/resume failed: token too long"];
        in_both_places(
            client,
            &[
                (&[overflow, GOOD], ""),
                (&[["new", "x", "", ""], overflow, GOOD], "new /new"),
                (&[["", "x", "codex_resume_oversized", ""], GOOD], ""),
                (&[["good", "x", "agent_error", "Token too long, Thread/Resume failed"], GOOD], ""),
            ],
        )
    })
}

pub fn pointer_counts_on_its_runtime(context: &Context) -> Result<()> {
    on_generations(context, &["chat_runtime"], |client, _| {
        rested(context, client)?;
        end(client, OF_CHAT, &[GOOD])?;
        for (runtime, expected) in [
            ("md5('runtime x')::uuid", "pointer /pointer"),
            ("md5('runtime y')::uuid", "good /good"),
            ("NULL", "good /good"),
        ] {
            client.batch_execute(&format!(
                "UPDATE chat_session SET session_id = 'pointer', work_dir = '/pointer', runtime_id = {runtime}
                 WHERE id = md5('chat x')::uuid"
            ))?;
            expect_prior(client, OF_CHAT, expected)?;
        }
        Ok(())
    })
}

/// The source's directory always, its session if it was on this runtime and its failure does not make it unsafe; whatever
/// other tasks have done since.
pub fn rerun_resumes_its_source(context: &Context) -> Result<()> {
    on_generations(context, &["provenance"], |client, _| {
        rested(context, client)?;
        for place in [OF_ISSUE, OF_CHAT] {
            let rerun = format!("{place}, force_fresh_session = true, rerun_of_task_id = md5('ended 1')::uuid");
            for (source, expected) in [
                (GOOD, "good /good"),
                (["good", "x", "timeout", ""], "good /good"),
                (["good", "x", "iteration_limit", ""], " /good"),
                (["good", "x", "agent_error", "invalid_request_error 400"], " /good"),
                (["good", "y", "", ""], " /good"),
            ] {
                client.batch_execute("BEGIN")?;
                end(client, place, &[["new", "x", "", ""], source])?;
                expect_prior(client, &rerun, expected).with_context(|| format!("{source:?}"))?;
                // The source of another place does not count, so nothing is resumed.
                client.batch_execute(
                    "UPDATE agent_task_queue SET issue_id = md5('issue waits')::uuid, chat_session_id = NULL
                     WHERE id = md5('ended 1')::uuid",
                )?;
                expect_prior(client, &rerun, "")?;
                client.batch_execute("ROLLBACK")?;
            }
        }
        Ok(())
    })
}

pub fn forced_task_begins_anew(context: &Context) -> Result<()> {
    on_generations(context, &["fresh"], |client, _| {
        rested(context, client)?;
        for place in [OF_ISSUE, OF_CHAT] {
            client.batch_execute("BEGIN")?;
            end(client, place, &[GOOD])?;
            expect_prior(client, &format!("{place}, force_fresh_session = true, session_id = 'old'"), "")?;
            client.batch_execute("ROLLBACK")?;
        }
        Ok(())
    })
}

/// A retry carries the session of its parent. It counts if the parent was on this runtime and did not make it unsafe;
/// the session that any other task carries does not count.
pub fn retry_resumes_its_parent(context: &Context) -> Result<()> {
    on_generations(context, &["fresh", "chat_runtime"], |client, _| {
        rested(context, client)?;
        let carried = format!("{OF_ISSUE}, session_id = 'carried', work_dir = '/carried'");
        let retry = format!("{carried}, parent_task_id = md5('ended 0')::uuid");
        for (parent, expected) in [
            (["carried", "x", "timeout", ""], "carried /carried"),
            (["carried", "y", "timeout", ""], " /carried"),
            (["carried", "x", "timeout", "could not resolve authentication method"], "good /good"),
        ] {
            client.batch_execute("BEGIN")?;
            end(client, OF_ISSUE, &[parent, GOOD])?;
            expect_prior(client, &retry, expected).with_context(|| format!("{parent:?}"))?;
            client.batch_execute("ROLLBACK")?;
        }
        end(client, OF_ISSUE, &[GOOD])?;
        expect_prior(client, &carried, "good /good")
    })
}

pub fn operator_decides_which_sessions_are_unsafe(context: &Context) -> Result<()> {
    on_generations(context, &["fresh", "chat_runtime"], |client, _| {
        rested(context, client)?;
        let tasks: &[Ended] = &[["new", "x", "mine", ""], GOOD];
        let limit: &[Ended] = &[["new", "x", "iteration_limit", ""], GOOD];
        in_both_places(client, &[(tasks, "new /new"), (limit, "good /good")])?;
        client.batch_execute(
            "INSERT INTO multica_retry_policy (reason, unsafe_to_resume) VALUES ('mine', true), ('iteration_limit', false)",
        )?;
        in_both_places(client, &[(tasks, "good /good"), (limit, "new /new")])?;
        client.batch_execute("UPDATE multica_retry_policy SET unsafe_to_resume = NULL")?;
        in_both_places(client, &[(tasks, "new /new"), (limit, "good /good")])?;
        client.batch_execute(
            "INSERT INTO multica_retry_policy (reason, unsafe_to_resume) VALUES ('*', true)
             ON CONFLICT (reason) DO UPDATE SET unsafe_to_resume = true",
        )?;
        let timeout: &[Ended] = &[["new", "x", "timeout", ""], GOOD];
        in_both_places(client, &[(tasks, "good /good"), (timeout, "new /new")])
    })
}

pub fn channel_turn_resumes_its_revision(context: &Context) -> Result<()> {
    on_generations(context, &["channel"], |client, _| {
        rested(context, client)?;
        end(client, OF_CHAT, &[["new", "x", "", ""], GOOD])?;
        client.batch_execute(
            "UPDATE chat_session SET session_id = 'pointer', runtime_id = md5('runtime x')::uuid WHERE id = md5('chat x')::uuid;
             UPDATE agent_task_queue SET channel_context_revision = 2 WHERE id = md5('ended 0')::uuid",
        )?;
        for (revision, expected) in [("2", "new /new"), ("1", "good /good"), ("3", ""), ("NULL", "pointer ")] {
            expect_prior(client, &format!("{OF_CHAT}, channel_context_revision = {revision}"), expected)?;
        }
        Ok(())
    })
}
