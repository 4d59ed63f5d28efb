//! What a task takes from its source, and sources that get no task.

use anyhow::Result;

use super::{enqueue, expect_outcome, expect_task, has, md5, set_status};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{expect, expect_state, value};

pub fn task_has_the_columns_of_its_source(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let call = format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 1"));
        let task = expect_outcome(client, &call, "queued")?;
        let common = format!(
            "agent_id = {}, runtime_id = {}, trigger_comment_id = {}, status, priority, attempt, max_attempts, session_id IS NULL",
            md5("agent e"),
            md5("runtime e"),
            md5("comment 1")
        );
        expect_task(client, &task, &common, "t t t queued 3 1 2 t")?;
        for (feature, columns, expected) in [
            ("summary", "length(trigger_summary), trigger_summary LIKE 'Comment 1...%'", "200 t"),
            ("fresh", "force_fresh_session", "f"),
            ("leader_task", "is_leader_task", "f"),
            ("task_squad", "squad_id IS NULL", "t"),
            ("deferred", "fire_at IS NULL", "t"),
            ("coalesced", "coalesced_comment_ids", "{}"),
            ("chat_input", "chat_input_task_id IS NULL", "t"),
            ("provenance", "rerun_of_task_id IS NULL AND retry_of_task_id IS NULL", "t"),
        ] {
            if has(features, feature) {
                expect_task(client, &task, columns, expected)?;
            }
        }
        let turn = expect_outcome(client, &format!("multica_enqueue_chat({})", md5("chat e")), "queued")?;
        expect_task(client, &turn, "chat_session_id IS NOT NULL, priority", "t 2")?;
        let of_run = expect_outcome(client, &format!("multica_enqueue_autopilot({})", md5("run e")), "queued")?;
        let priority = if has(features, "run_priority") { "2" } else { "0" };
        expect_task(client, &of_run, "priority", priority)?;
        expect(
            client,
            &format!("SELECT task_id = '{of_run}', status FROM autopilot_run WHERE id = {}", md5("run e")),
            "t running",
        )?;
        let events = "SELECT count(*) FROM multica_event_log WHERE type = 'task:queued' AND payload ->> 'task_id' IN";
        expect(client, &format!("{events} ('{task}', '{turn}', '{of_run}')"), "3")
    })
}

/// A squad of agent f, to which issue e and the autopilot are assigned.
const SQUAD: &str = "
    INSERT INTO squad (id, workspace_id, name, leader_id, creator_id)
    VALUES (md5('squad e')::uuid, md5('workspace e')::uuid, 'e', md5('agent f')::uuid, md5('user e')::uuid);
    UPDATE issue SET assignee_type = 'squad', assignee_id = md5('squad e')::uuid WHERE id = md5('issue e')::uuid";

pub fn squad_is_represented_by_its_leader(context: &Context) -> Result<()> {
    on_all_tables(context, &["squad"], "enqueue", |_, client, features| {
        client.batch_execute(SQUAD)?;
        let issue = md5("issue e");
        let task = expect_outcome(client, &format!("multica_enqueue_issue({issue}, {})", md5("comment 1")), "queued")?;
        expect_task(client, &task, &format!("agent_id = {}", md5("agent f")), "t")?;
        let role = |client: &mut _, task: &str, expected: &str| -> Result<()> {
            if has(features, "leader_task") {
                expect_task(client, task, "is_leader_task", expected)?;
            }
            if has(features, "task_squad") {
                expect_task(client, task, &format!("squad_id IS NOT DISTINCT FROM {}", md5("squad e")), expected)?;
            }
            Ok(())
        };
        role(client, &task, "t")?;
        // A comment that mentions the leader gets a task without the role, and keeps the role of a task that it joins.
        let mention = |comment: &str| format!("multica_enqueue_mention({issue}, {}, {})", md5("agent f"), md5(comment));
        enqueue(client, &mention("comment 2"))?;
        role(client, &task, "t")?;
        set_status(client, &task, "running")?;
        let mentioned = expect_outcome(client, &mention("comment 3"), "queued")?;
        role(client, &mentioned, "f")?;
        // A comment for the squad brings the role along.
        if has(features, "coalesced") {
            expect_outcome(client, &format!("multica_enqueue_issue({issue}, {})", md5("comment 4")), "merged")?;
            role(client, &mentioned, "t")?;
        }
        client.batch_execute("UPDATE squad SET archived_at = now() WHERE id = md5('squad e')::uuid")?;
        expect_state(client, &format!("SELECT multica_enqueue_issue({issue})"), "55000")?;
        client.batch_execute("DELETE FROM squad WHERE id = md5('squad e')::uuid")?;
        expect_state(client, &format!("SELECT multica_enqueue_issue({issue})"), "55000")
    })
}

pub fn run_of_a_squad_goes_to_its_leader(context: &Context) -> Result<()> {
    on_all_tables(context, &["autopilot_squad"], "enqueue", |_, client, features| {
        client.batch_execute(SQUAD)?;
        client.batch_execute(
            "UPDATE autopilot SET assignee_type = 'squad', assignee_id = md5('squad e')::uuid WHERE title = 'e'",
        )?;
        let task = expect_outcome(client, &format!("multica_enqueue_autopilot({})", md5("run e")), "queued")?;
        expect_task(client, &task, &format!("agent_id = {}, is_leader_task", md5("agent f")), "t t")?;
        if has(features, "task_squad") {
            expect_task(client, &task, &format!("squad_id = {}", md5("squad e")), "t")?;
        }
        expect(
            client,
            &format!("SELECT squad_id = {} FROM autopilot_run WHERE id = {}", md5("squad e"), md5("run e")),
            "t",
        )?;
        client.batch_execute("UPDATE squad SET archived_at = now() WHERE id = md5('squad e')::uuid")?;
        expect_state(client, &format!("SELECT multica_enqueue_autopilot({})", md5("run f")), "55000")
    })
}

pub fn unbound_agent_gets_no_task(context: &Context) -> Result<()> {
    on_all_tables(context, &["unbound"], "enqueue", |_, client, _| {
        let ended = enqueue(client, &format!("multica_enqueue({})", md5("agent e")))?;
        set_status(client, &ended, "completed")?;
        client.batch_execute("UPDATE agent SET runtime_id = NULL WHERE id = md5('agent e')::uuid")?;
        for call in [
            format!("multica_enqueue({})", md5("agent e")),
            format!("multica_enqueue_issue({})", md5("issue e")),
            format!("multica_enqueue_mention({}, {})", md5("issue f"), md5("agent e")),
            format!("multica_enqueue_chat({})", md5("chat e")),
            format!("multica_enqueue_autopilot({})", md5("run e")),
            format!("multica_rerun({})", md5("issue e")),
            format!("multica_rerun_task('{ended}')"),
        ] {
            expect_state(client, &format!("SELECT {call}"), "55000")?;
        }
        expect(
            client,
            &format!(
                "SELECT count(*) FROM agent_task_queue WHERE agent_id = {} AND completed_at IS NULL",
                md5("agent e")
            ),
            "0",
        )
    })
}

pub fn archived_chat_gets_no_turn(context: &Context) -> Result<()> {
    on_all_tables(context, &["chat_runtime"], "enqueue", |database, client, _| {
        let enqueue = format!("SELECT multica_enqueue_chat({})", md5("chat e"));
        // The chat is archived while the call waits for it.
        let mut other = database.connect()?;
        other.batch_execute("BEGIN; UPDATE chat_session SET status = 'archived' WHERE id = md5('chat e')::uuid")?;
        let late = crate::suites::support::start(database, &enqueue)?;
        late.wait_until_blocked(client)?;
        other.batch_execute("COMMIT")?;
        late.finish_with_state("55000")?;
        expect_state(client, &enqueue, "55000")
    })
}

pub fn chat_of_a_channel_is_left_to_the_server(context: &Context) -> Result<()> {
    on_all_tables(context, &["channel_message"], "enqueue", |_, client, features| {
        let enqueue = format!("SELECT multica_enqueue_chat({})", md5("chat e"));
        let message = |ingested: bool, since: i32| {
            format!(
                "INSERT INTO chat_message (chat_session_id, role, content, created_at, channel_ingested)
                 VALUES ({}, 'user', 'hello', now() - interval '{since} s', {ingested})",
                md5("chat e")
            )
        };
        client.batch_execute(&format!("{}; {enqueue}", message(false, 30)))?;
        client.batch_execute(&message(true, 20))?;
        expect_state(client, &enqueue, "55000")?;
        client.batch_execute(&format!("{}; {enqueue}", message(false, 10)))?;
        if has(features, "channel") {
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET channel_context_revision = 1 WHERE chat_session_id = {}",
                md5("chat e")
            ))?;
            expect_state(client, &enqueue, "55000")?;
        }
        Ok(())
    })
}

pub fn turn_answers_its_own_messages(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let chat = md5("chat e");
        if !has(features, "chat_input") {
            let asked = format!("SELECT multica_enqueue_chat({chat}, owns_input => true)");
            return expect_state(client, &asked, "0A000");
        }
        let owner = "chat_input_task_id = id, chat_input_task_id IS NULL";
        let own = enqueue(client, &format!("multica_enqueue_chat({chat}, owns_input => true)"))?;
        expect_task(client, &own, owner, "t f")?;
        let trailing = enqueue(client, &format!("multica_enqueue_chat({chat}, owns_input => false)"))?;
        expect_task(client, &trailing, owner, " t")?;
        let unasked = enqueue(client, &format!("multica_enqueue_chat({chat})"))?;
        expect_task(client, &unasked, owner, if has(features, "own") { "t f" } else { " t" })?;
        // A retry and a rerun answer the same messages.
        client.batch_execute(&format!(
            "UPDATE agent_task_queue SET status = 'failed', failure_reason = 'timeout', dispatched_at = now(),
                 completed_at = now() WHERE id = '{own}'"
        ))?;
        let rerun = value(client, &format!("SELECT id FROM multica_rerun_task('{own}')"))?;
        expect_task(client, &rerun, &format!("chat_input_task_id = '{own}'"), "t")
    })
}

pub fn context_has_the_workspace_of_a_task_without_source(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let agent = md5("agent e");
        let adds = has(features, "redis_era");
        for (given, expected) in
            [(r#"{"prompt": "go"}"#, if adds { "e" } else { "" }), (r#"{"workspace_id": "mine"}"#, "mine"), ("[1]", "")]
        {
            let task = enqueue(client, &format!("multica_enqueue({agent}, '{given}')"))?;
            let found = "CASE context ->> 'workspace_id' WHEN md5('workspace e')::uuid::text THEN 'e' ELSE context ->> 'workspace_id' END";
            expect_task(client, &task, found, expected)?;
        }
        let of_issue = enqueue(client, &format!("multica_enqueue_issue({}, context => '{{}}')", md5("issue e")))?;
        expect_task(client, &of_issue, "context", "{}")
    })
}

pub fn run_of_a_machine_that_cannot_execute_is_refused(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, _| {
        let enqueue = format!("SELECT multica_enqueue_autopilot({})", md5("run e"));
        client.batch_execute(&format!(
            r#"SELECT multica_set_runtime_offline({}, '{{"code": "not_executable"}}')"#,
            md5("runtime e")
        ))?;
        expect_state(client, &enqueue, "55000")?;
        // A runtime that is only offline comes back.
        client.batch_execute("UPDATE agent_runtime SET metadata = '{}' WHERE id = md5('runtime e')::uuid")?;
        client.batch_execute(&enqueue).map_err(anyhow::Error::from)
    })
}

/// The status and the assignee of an issue may change while it has tasks. They end only with the issue, whose deletion
/// cancels them first.
pub fn changes_of_an_issue_leave_its_tasks(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let running = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        set_status(client, &running, "running")?;
        let queued = enqueue(client, &format!("multica_enqueue_issue({})", md5("issue e")))?;
        for change in [
            "status = 'cancelled'".to_string(),
            format!("assignee_id = {}", md5("agent f")),
            "assignee_type = 'member', assignee_id = creator_id".to_string(),
        ] {
            client.batch_execute(&format!("UPDATE issue SET {change} WHERE id = {}", md5("issue e")))?;
            client.batch_execute("SELECT multica_sweep()")?;
            expect_task(client, &running, "status", "running")?;
            expect_task(client, &queued, "status", "queued")?;
        }
        // The former assignee's tasks stay pending for it, and another agent gets its own.
        client.batch_execute(&format!(
            "UPDATE issue SET assignee_type = 'agent', assignee_id = {} WHERE id = {}",
            md5("agent f"),
            md5("issue e")
        ))?;
        expect_outcome(client, &format!("multica_enqueue_issue({})", md5("issue e")), "queued")?;
        if has(features, "own") || !has(features, "chat_runtime") {
            client.batch_execute(&format!("SELECT multica_cancel_issue_tasks({})", md5("issue e")))?;
        } else {
            client.batch_execute(&format!(
                "UPDATE agent_task_queue SET status = 'cancelled', completed_at = now()
                 WHERE issue_id = {} AND status IN ('queued', 'dispatched', 'running')",
                md5("issue e")
            ))?;
        }
        client.batch_execute(&format!("DELETE FROM issue WHERE id = {}", md5("issue e")))?;
        expect(client, &format!("SELECT count(*) FROM agent_task_queue WHERE id IN ('{running}', '{queued}')"), "0")
    })
}
