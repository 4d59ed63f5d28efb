//! Tasks for a later time, and escalations.

use anyhow::{Context as _, Result, ensure};

use super::{enqueue, expect_outcome, expect_task, has, md5, set_status};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{expect, expect_state};

/// A time that is the same in every call.
const LATER: &str = "'2100-01-01 00:00:00+00'";

pub fn run_after_defers_the_task(context: &Context) -> Result<()> {
    on_all_tables(context, &["deferred"], "enqueue", |_, client, _| {
        for call in [
            format!("multica_enqueue({}, run_after => {LATER})", md5("agent e")),
            format!("multica_enqueue_issue({}, run_after => {LATER})", md5("issue e")),
            format!("multica_enqueue_mention({}, {}, run_after => {LATER})", md5("issue e"), md5("agent f")),
            format!("multica_enqueue_chat({}, run_after => {LATER})", md5("chat e")),
            format!("multica_enqueue_autopilot({}, run_after => {LATER})", md5("run e")),
        ] {
            let task = expect_outcome(client, &call, "deferred")?;
            let columns = format!("status, fire_at = {LATER}, completed_at IS NULL, attempt");
            expect_task(client, &task, &columns, "deferred t t 1")?;
            expect(client, &format!("SELECT type FROM multica_event_log WHERE payload ->> 'task_id' = '{task}'"), "")?;
        }
        // It does not have the pending slot.
        let now = expect_outcome(
            client,
            &format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 1")),
            "queued",
        )?;
        expect_task(client, &now, "fire_at IS NULL", "t")?;
        client.batch_execute(
            "UPDATE agent_runtime SET last_seen_at = now() WHERE status = 'online'; SELECT multica_sweep()",
        )?;
        expect(
            client,
            "SELECT count(*) FROM agent_task_queue WHERE status = 'deferred' AND agent_id IN (md5('agent e')::uuid, md5('agent f')::uuid)",
            "5",
        )?;
        for past in ["now()", "'-infinity'", "NULL"] {
            let task =
                expect_outcome(client, &format!("multica_enqueue({}, run_after => {past})", md5("agent f")), "queued")?;
            expect_task(client, &task, "status, fire_at IS NULL", "queued t")?;
        }
        expect_state(client, &format!("SELECT multica_enqueue({}, run_after => 'infinity')", md5("agent e")), "22023")
    })
}

pub fn repeated_call_with_run_after_defers_once(context: &Context) -> Result<()> {
    on_all_tables(context, &["deferred"], "enqueue", |_, client, features| {
        let call = |more: &str, at: &str| format!("multica_enqueue_issue({}{more}, run_after => {at})", md5("issue e"));
        let (one, two) = (format!(", {}", md5("comment 1")), format!(", {}", md5("comment 2")));
        let first = expect_outcome(client, &call(&one, LATER), "deferred")?;
        ensure!(expect_outcome(client, &call(&one, LATER), "pending")? == first, "the same comment has two tasks");
        ensure!(expect_outcome(client, &call("", LATER), "pending")? == first, "the same call has two tasks");
        if has(features, "coalesced") {
            ensure!(expect_outcome(client, &call(&two, LATER), "merged")? == first, "the comment joined another task");
            let plan = "trigger_comment_id = md5('comment 2')::uuid, coalesced_comment_ids = ARRAY[md5('comment 1')::uuid], status";
            expect_task(client, &first, plan, "t t deferred")?;
        } else {
            expect_outcome(client, &call(&two, LATER), "deferred")?;
        }
        // Another time is another task, and so is one for now.
        expect_outcome(client, &call(&one, "'2100-01-02 00:00:00+00'"), "deferred")?;
        expect_outcome(client, &format!("multica_enqueue_issue({}{one})", md5("issue e")), "queued").map(drop)
    })
}

pub fn run_after_needs_the_status(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let call = format!("SELECT multica_enqueue_issue({}, run_after => now())", md5("issue e"));
        if has(features, "deferred") {
            return Ok(client.batch_execute(&call)?);
        }
        let error = client.batch_execute(&call).err().context("the call succeeds")?;
        let error = error.as_db_error().context("an error of the server")?.clone();
        ensure!(error.code().code() == "0A000" && error.message().contains("\"deferred\""), "{error:?}");
        Ok(())
    })
}

fn escalate(task: &str, agent: &str, run_after: &str) -> String {
    let (issue, agent) = (md5("issue e"), md5(agent));
    format!("multica_enqueue_mention({issue}, {agent}, run_after => {run_after}, escalation_for_task_id => '{task}')")
}

pub fn escalation_is_deferred_once(context: &Context) -> Result<()> {
    on_all_tables(context, &["deferred", "escalation"], "enqueue", |_, client, _| {
        let task = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        let fallback = expect_outcome(client, &escalate(&task, "agent f", LATER), "deferred")?;
        let columns = format!("status, fire_at = {LATER}, escalation_for_task_id = '{task}'");
        expect_task(client, &fallback, &columns, "deferred t t")?;
        for again in [LATER, "'2100-01-02'"] {
            let found = expect_outcome(client, &escalate(&task, "agent f", again), "pending")?;
            ensure!(found == fallback, "there is a second escalation");
        }
        // It is no pending task of its agent, and no comment joins it.
        let other = expect_outcome(
            client,
            &format!("multica_enqueue_mention({}, {}, {})", md5("issue e"), md5("agent f"), md5("comment 1")),
            "queued",
        )?;
        expect_task(client, &other, "escalation_for_task_id IS NULL", "t")?;
        let same_time =
            format!("multica_enqueue_mention({}, {}, run_after => {LATER})", md5("issue e"), md5("agent f"));
        expect_outcome(client, &same_time, "deferred")?;
        // It fires although its time has passed when the call comes.
        let late = expect_outcome(client, &escalate(&task, "agent e", "now() - interval '1 minute'"), "deferred")?;
        expect_task(client, &late, "status, fire_at < now()", "deferred t")
    })
}

pub fn only_a_task_that_has_not_started_is_escalated(context: &Context) -> Result<()> {
    on_all_tables(context, &["deferred", "escalation"], "enqueue", |_, client, _| {
        let task = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        let no_time = escalate(&task, "agent f", "NULL");
        expect_state(client, &format!("SELECT {no_time}"), "22023")?;
        let elsewhere = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue f")))?;
        for unknown in [elsewhere.as_str(), "00000000-0000-4000-8000-000000000000"] {
            expect_state(client, &format!("SELECT {}", escalate(unknown, "agent f", LATER)), "P0002")?;
        }
        for status in ["running", "completed"] {
            set_status(client, &task, status)?;
            expect_state(client, &format!("SELECT {}", escalate(&task, "agent f", LATER)), "55000")?;
        }
        expect(
            client,
            "SELECT count(*) FROM agent_task_queue WHERE escalation_for_task_id IS NOT NULL AND issue_id = md5('issue e')::uuid",
            "0",
        )
    })
}
