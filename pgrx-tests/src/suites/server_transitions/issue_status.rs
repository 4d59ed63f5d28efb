//! The status of the issue that a completion sets.

use anyhow::{Result, ensure};

use super::{of, on_work, recorded, rerun, word};
use crate::context::Context;
use crate::suites::support::expect;

const ISSUE: &str = "SELECT status FROM issue WHERE id = md5('issue x')::uuid";

fn complete(task: &str, status: &str) -> String {
    format!("SELECT FROM multica_complete(md5('{task}')::uuid, issue_status => '{status}')")
}

pub fn completion_sets_status_of_issue(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        let has_revision = place.has("revision");
        if has_revision {
            client.batch_execute("UPDATE issue SET revision = 5 WHERE id = md5('issue x')::uuid")?;
        }
        if place.has("activity") {
            client.batch_execute(
                "UPDATE issue SET last_activity_at = now() - interval '1 day' WHERE id = md5('issue x')::uuid",
            )?;
        }
        rerun(place, client, "task x")?;
        let events = recorded(client, &complete("task x", "in_review"))?;
        ensure!(events == "task:completed issue:updated", "{events}");
        expect(client, ISSUE, "in_review")?;
        let event = "SELECT payload ->> 'status_changed', payload ->> 'prev_status', payload #>> '{issue,status}',
            payload #>> '{issue,first_executed_at}' IS NOT NULL, payload #>> '{issue,revision}'
            FROM multica_event_log WHERE type = 'issue:updated'";
        expect(client, event, &format!("true in_progress in_review t {}", if has_revision { "6" } else { "" }))?;
        if has_revision {
            expect(client, "SELECT revision FROM issue WHERE id = md5('issue x')::uuid", "6")?;
        }
        if place.has("activity") {
            let recent =
                "SELECT last_activity_at > now() - interval '1 minute' FROM issue WHERE id = md5('issue x')::uuid";
            expect(client, recent, "t")?;
        }
        // The same status is no change.
        rerun(place, client, "task x")?;
        let events = recorded(client, &complete("task x", "in_review"))?;
        ensure!(events == "task:completed", "{events}");
        // Neither a task that has ended nor one that fails instead sets it.
        client.batch_execute(&complete("task x", "done"))?;
        expect(client, ISSUE, "in_review")?;
        if place.has("fresh") {
            rerun(place, client, "task x")?;
            client.batch_execute(
                "SELECT FROM multica_complete(md5('task x')::uuid, '\"prompt is too long, cannot be compacted\"', issue_status => 'done')",
            )?;
            expect(client, &of("status", "task x"), "failed")?;
            expect(client, ISSUE, "in_review")?;
        }
        if place.has("open_status") {
            client.batch_execute(
                "INSERT INTO issue_status (workspace_id, key, name, category, color)
                 VALUES (md5('workspace 1')::uuid, 'checked', 'checked', 'in_review', '#336699')",
            )?;
            rerun(place, client, "task x")?;
            client.batch_execute(&complete("task x", "checked"))?;
            expect(client, ISSUE, "checked")?;
            let category = "SELECT payload #>> '{issue,status_category}' FROM multica_event_log
                WHERE type = 'issue:updated' ORDER BY id DESC LIMIT 1";
            expect(client, category, "in_review")?;
        }
        Ok(())
    })
}

pub fn unknown_status_of_issue_is_refused(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        rerun(place, client, "task x")?;
        rerun(place, client, "task turn")?;
        if place.has("open_status") {
            client.batch_execute(
                "INSERT INTO issue_status (workspace_id, key, name, category, color, archived_at)
                 VALUES (md5('workspace 1')::uuid, 'former', 'former', 'done', '#336699', now()),
                     (md5('workspace 2')::uuid, 'elsewhere', 'elsewhere', 'done', '#336699', NULL)",
            )?;
        }
        for (task, status) in [
            ("task x", "finished"),
            ("task x", ""),
            ("task x", "former"),
            ("task x", "elsewhere"),
            ("task turn", "done"),
        ] {
            let found = word(client, &complete(task, status))?;
            ensure!(found == "22023", "{task}, {status}: {found}");
            expect(client, &of("status", task), "running")?;
        }
        Ok(())
    })
}

pub fn runs_of_the_issue_end_with_it(context: &Context) -> Result<()> {
    on_work(context, &[], |place, client| {
        client.batch_execute(
            "INSERT INTO autopilot (id, workspace_id, title, assignee_id, execution_mode, created_by_type, created_by_id)
             VALUES (md5('autopilot x')::uuid, md5('workspace 1')::uuid, 'x', md5('agent x')::uuid, 'create_issue', 'member',
                 md5('user 1')::uuid);
             INSERT INTO autopilot_run (id, autopilot_id, source, status, issue_id)
             VALUES (md5('run x')::uuid, md5('autopilot x')::uuid, 'manual', 'issue_created', md5('issue x')::uuid),
                 (md5('run of another issue')::uuid, md5('autopilot x')::uuid, 'manual', 'issue_created', NULL)",
        )?;
        let run =
            "SELECT status, failure_reason, completed_at IS NOT NULL FROM autopilot_run WHERE id = md5('run x')::uuid";
        for (status, expected) in [
            ("todo", "issue_created  f"),
            ("in_review", "completed  t"),
            ("done", "completed  t"),
            ("blocked", "failed issue blocked t"),
            ("cancelled", "failed issue cancelled t"),
        ] {
            client.batch_execute(
                "UPDATE autopilot_run SET status = 'issue_created', completed_at = NULL, failure_reason = NULL
                 WHERE id = md5('run x')::uuid",
            )?;
            rerun(place, client, "task x")?;
            let events = recorded(client, &complete("task x", status))?;
            expect(client, run, expected)?;
            let ended = if status == "todo" { "" } else { " autopilot:run_done" };
            ensure!(events == format!("task:completed issue:updated{ended}"), "{status}: {events}");
        }
        // It ends only once.
        rerun(place, client, "task x")?;
        client.batch_execute(&complete("task x", "done"))?;
        expect(client, run, "failed issue cancelled t")?;
        expect(client, "SELECT status FROM autopilot_run WHERE id = md5('run of another issue')::uuid", "issue_created")
    })
}
