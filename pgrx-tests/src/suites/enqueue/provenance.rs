//! Who caused a task, and who is accountable for it.

use anyhow::{Context as _, Result, ensure};

use super::{enqueue, expect_task, has, md5};
use crate::context::Context;
use crate::suites::cases::on_all_tables;
use crate::suites::support::{expect, expect_state, value};

/// Returns the JSON of a provenance as an SQL expression. The values are SQL expressions.
fn json(entries: &[(&str, &str)]) -> String {
    let entries: Vec<String> = entries.iter().map(|(key, value)| format!("'{key}', {value}")).collect();
    format!("jsonb_build_object({})", entries.join(", "))
}

pub fn user_is_stored_with_the_task(context: &Context) -> Result<()> {
    on_all_tables(context, &["originator"], "enqueue", |_, client, features| {
        let users = "originator_user_id IS NOT DISTINCT FROM md5('user f')::uuid";
        let mut entries = vec![("originator_user_id", "md5('user f')")];
        let mut columns = vec![users.to_string()];
        if has(features, "accountable") {
            columns.push("accountable_user_id = md5('user f')::uuid".into());
        }
        if has(features, "provenance") {
            for (key, value, kind) in [
                ("originator_source", "'delegation'", "text"),
                ("delegated_from_task_id", "md5('other')", "uuid"),
                ("rule_version_id", "md5('rule')", "uuid"),
                ("trigger_evidence_kind", "'comment'", "text"),
                ("trigger_evidence_ref_id", "md5('comment 1')", "uuid"),
            ] {
                entries.push((key, value));
                columns.push(format!("{key} = {value}::{kind}"));
            }
        }
        if has(features, "initiator") {
            entries.push(("initiator_user_id", "md5('user e')"));
            columns.push("initiator_user_id = md5('user e')::uuid".into());
        }
        let given = json(&entries);
        let mut tasks = Vec::new();
        for call in [
            format!("multica_enqueue({}, provenance => {given})", md5("agent e")),
            format!("multica_enqueue_issue({}, provenance => {given})", md5("issue e")),
            format!("multica_enqueue_mention({}, {}, provenance => {given})", md5("issue e"), md5("agent f")),
            format!("multica_enqueue_chat({}, provenance => {given})", md5("chat e")),
            format!("multica_enqueue_autopilot({}, provenance => {given})", md5("run e")),
        ] {
            tasks.push(enqueue(client, &call)?);
        }
        tasks.push(value(client, &format!("SELECT id FROM multica_rerun({}, provenance => {given})", md5("issue e")))?);
        for task in &tasks {
            let all = columns.join(" AND ");
            expect_task(client, task, &all, "t").with_context(|| format!("one of {columns:?} differs"))?;
        }
        // One of the two users is enough.
        if has(features, "accountable") {
            let given = json(&[("accountable_user_id", "md5('user f')")]);
            let task = enqueue(client, &format!("multica_enqueue({}, provenance => {given})", md5("agent e")))?;
            let columns = "originator_user_id IS NULL, accountable_user_id = md5('user f')::uuid";
            expect_task(client, &task, columns, "t t")?;
        }
        Ok(())
    })
}

pub fn owner_is_accountable_if_nobody_is_named(context: &Context) -> Result<()> {
    on_all_tables(context, &["accountable", "provenance"], "enqueue", |_, client, _| {
        let fallback = "originator_user_id IS NULL, accountable_user_id = md5('user e')::uuid, originator_source";
        for given in ["NULL", "'{}'", "'{\"trigger_evidence_kind\": \"chat\"}'", "'{\"originator_user_id\": null}'"] {
            let task = enqueue(client, &format!("multica_enqueue({}, provenance => {given})", md5("agent e")))?;
            expect_task(client, &task, fallback, "t t owner_fallback")?;
        }
        client.batch_execute("UPDATE agent SET owner_id = NULL WHERE id = md5('agent e')::uuid")?;
        let task = enqueue(client, &format!("multica_enqueue({})", md5("agent e")))?;
        expect_task(client, &task, "num_nulls(originator_user_id, accountable_user_id, originator_source)", "3")
    })
}

pub fn workspace_can_require_a_user(context: &Context) -> Result<()> {
    on_all_tables(context, &["fail_closed", "accountable"], "enqueue", |_, client, _| {
        let queued = enqueue(client, &format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 1")))?;
        super::set_status(client, &queued, "completed")?;
        let waiting = enqueue(client, &format!("multica_enqueue_issue({}, {})", md5("issue e"), md5("comment 2")))?;
        client
            .batch_execute("UPDATE workspace SET attribution_fail_closed = true WHERE id = md5('workspace e')::uuid")?;
        let calls = |given: &str| {
            [
                format!("multica_enqueue({}, provenance => {given})", md5("agent e")),
                format!("multica_enqueue_issue({}, {}, provenance => {given})", md5("issue e"), md5("comment 3")),
                format!("multica_enqueue_chat({}, provenance => {given})", md5("chat e")),
                format!("multica_enqueue_autopilot({}, provenance => {given})", md5("run e")),
                format!("multica_rerun({}, provenance => {given})", md5("issue e")),
                format!("multica_rerun_task('{queued}', provenance => {given})"),
            ]
        };
        for given in ["NULL", "'{\"trigger_evidence_kind\": \"comment\"}'"] {
            for call in calls(given) {
                expect_state(client, &format!("SELECT {call}"), "55000")?;
            }
        }
        expect_task(client, &waiting, "status, trigger_comment_id = md5('comment 2')::uuid", "queued t")?;
        for call in calls(&json(&[("originator_user_id", "md5('user f')")])) {
            client.batch_execute(&format!("SELECT {call}"))?;
        }
        // Another workspace does not.
        client.batch_execute("UPDATE workspace SET attribution_fail_closed = (id <> md5('workspace e')::uuid)")?;
        enqueue(client, &format!("multica_enqueue({})", md5("agent e"))).map(drop)
    })
}

pub fn malformed_provenance_is_refused(context: &Context) -> Result<()> {
    on_all_tables(context, &["originator", "accountable", "provenance"], "enqueue", |_, client, _| {
        let id = "00000000-0000-4000-8000-000000000000";
        let other = "00000000-0000-4000-8000-000000000001";
        for (given, told) in [
            ("[]".to_string(), "must be an object"),
            ("null".to_string(), "must be an object"),
            ("\"word\"".to_string(), "must be an object"),
            (format!(r#"{{"originator": "{id}"}}"#), "has the unknown key \"originator\""),
            (r#"{"originator_user_id": "nobody"}"#.to_string(), "originator_user_id"),
            (r#"{"originator_user_id": 1}"#.to_string(), "originator_user_id"),
            (r#"{"originator_source": 1}"#.to_string(), "originator_source"),
            (r#"{"originator_source": "direct_human"}"#.to_string(), "is given without a user"),
            (format!(r#"{{"originator_user_id": "{id}", "accountable_user_id": "{other}"}}"#), "differs from"),
        ] {
            let call = format!("SELECT multica_enqueue({}, provenance => '{given}')", md5("agent e"));
            let error = client.batch_execute(&call).err().with_context(|| format!("{call} succeeds"))?;
            let error = error.as_db_error().context("an error of the server")?.clone();
            ensure!(error.code().code() == "22023" && error.message().contains(told), "{call}: {error:?}");
            ensure!(error.hint().is_some(), "{call} has no hint");
            expect_state(
                client,
                &format!("SELECT multica_rerun({}, provenance => '{given}')", md5("issue e")),
                "22023",
            )?;
        }
        expect(client, &format!("SELECT count(*) FROM agent_task_queue WHERE agent_id = {}", md5("agent e")), "0")
    })
}

pub fn provenance_without_columns_is_refused(context: &Context) -> Result<()> {
    on_all_tables(context, &[], "enqueue", |_, client, features| {
        let id = "00000000-0000-4000-8000-000000000000";
        for (key, feature) in [
            ("originator_user_id", "originator"),
            ("accountable_user_id", "accountable"),
            ("rule_version_id", "provenance"),
            ("initiator_user_id", "initiator"),
        ] {
            let call = format!(r#"SELECT multica_enqueue({}, provenance => '{{"{key}": "{id}"}}')"#, md5("agent e"));
            if has(features, feature) {
                client.batch_execute(&call)?;
                continue;
            }
            let error = client.batch_execute(&call).err().with_context(|| format!("{call} succeeds"))?;
            let error = error.as_db_error().context("an error of the server")?.clone();
            let named = format!("\"provenance.{key}\" needs feature \"{feature}\"");
            ensure!(
                error.code().code() == "0A000"
                    && error.constraint() == Some("missing_feature")
                    && error.message().contains(&named),
                "{call}: {error:?}"
            );
        }
        Ok(())
    })
}
