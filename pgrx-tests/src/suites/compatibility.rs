//! What works in the tables of each generation of the server. A call works, or it is refused with 0A000, and the error
//! names a feature that the tables have. The table in docs/compatibility.md is made from the calls of these tests.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use super::Suite;
use super::comments::Member;
use super::errors::routines;
use super::support::{expect, expect_state, id, team, value, values};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    page_shows_what_works_on_each_generation,
    page_lists_every_feature,
    features_are_those_of_the_generation,
    calls_work_or_are_refused_without_each_feature,
    tables_made_by_install_are_never_refused,
    refusal_names_function_and_feature,
];

/// The functions by what they do, as on the page. The functions of one group work on the same generations.
const GROUPS: [(&str, &[&str]); 19] = [
    ("install and grant", &["can_commit", "count_sweep_parts", "grant", "install", "install_all", "revoke", "version"]),
    ("status and metrics", &["metrics", "retry_policy_in_force", "status"]),
    ("events", &["events", "forget_reader", "list_readers", "take_events"]),
    (
        "lists and lookups",
        &[
            "count_active_agents",
            "count_running_tasks",
            "find_legacy_runtimes",
            "get_runtime",
            "get_runtime_for_workspace",
            "get_task",
            "has_active_task",
            "has_pending_task",
            "last_chat_session",
            "last_task_session",
            "list_agent_tasks",
            "list_issue_tasks",
            "list_pending_tasks",
            "list_runtimes",
            "list_runtimes_by_owner",
        ],
    ),
    (
        "register, heartbeat and progress",
        &[
            "deregister",
            "heartbeat",
            "heartbeat_many",
            "progress",
            "record_legacy_daemon_id",
            "register",
            "set_runtime_offline",
            "upsert_runtime",
        ],
    ),
    ("reconcile an agent", &["reconcile_agent"]),
    ("start and requeue", &["requeue", "start"]),
    ("wait", &["wait"]),
    ("extend a lease", &["extend_lease"]),
    ("enqueue", &["enqueue", "enqueue_autopilot", "enqueue_chat", "enqueue_issue", "enqueue_mention"]),
    ("retry and rerun", &["rerun", "rerun_task", "retry"]),
    ("claim", &["claim", "claim_many", "resume"]),
    ("limit tasks in flight", &["limit"]),
    (
        "complete, fail, pin, cancel",
        &[
            "cancel",
            "cancel_agent_tasks",
            "cancel_chat_tasks",
            "cancel_comment_tasks",
            "cancel_issue_tasks",
            "cancel_runtime_tasks",
            "complete",
            "complete_raw",
            "fail",
            "fail_raw",
            "pin_session",
        ],
    ),
    ("clean and classify text", &["classify_failure", "clean"]),
    ("recover, and follow up failures", &["handle_failed_tasks", "recover_orphans"]),
    (
        "sweep",
        &[
            "delete_stale_offline_runtimes",
            "fail_stale_tasks",
            "fail_tasks_for_offline_runtimes",
            "mark_stale_runtimes_offline",
            "sweep",
            "sweep_all",
            "sweep_part",
        ],
    ),
    ("merge, move and delete runtimes", &["delete_runtime", "merge_legacy", "reassign_agents", "reassign_tasks"]),
    ("delete archived agents", &["delete_archived_agents"]),
];

/// Functions that need a feature. The others are refused because of a feature that the tables have.
const NEEDED: [(&str, &str); 2] = [("wait", "waiting"), ("extend_lease", "lease")];

/// Returns a value for an argument of a function, in a database with the rows of a generation.
fn argument(function: &str, name: &str, kind: &str) -> Result<String> {
    let of = |label: &str| format!("md5('{label}')::uuid");
    let value = match (function, name) {
        ("multica_delete_runtime" | "multica_delete_archived_agents", "runtime_id") => of("runtime renamed"),
        ("multica_start" | "multica_wait" | "multica_extend_lease" | "multica_requeue", "task_id") => {
            of("task dispatched")
        }
        ("multica_wait", "reason") => "'word'".into(),
        ("multica_retry" | "multica_rerun_task", "task_id") => of("task failed first"),
        ("multica_resume", "claim_token") => format!(
            "(EXTRACT(EPOCH FROM (SELECT dispatched_at FROM agent_task_queue WHERE id = {})) * 1000000)",
            of("task running")
        ),
        ("multica_handle_failed_tasks", "task_ids") => format!("ARRAY[{}]", of("task failed first")),
        ("multica_last_task_session" | "multica_has_active_task", "issue_id") => of("issue is done"),
        ("multica_last_chat_session", "chat_session_id") => of("chat open"),
        (_, "runtime_id" | "old_runtime_id") => of("runtime online"),
        (_, "new_runtime_id") => of("runtime silent"),
        (_, "runtime_ids") => format!("ARRAY[{}]", of("runtime online")),
        (_, "workspace_id") => of("workspace 1"),
        (_, "agent_id") => of("agent worker"),
        (_, "issue_id") => of("issue is worked on"),
        (_, "comment_id") => of("comment waits"),
        (_, "chat_session_id") => of("chat waiting"),
        (_, "autopilot_run_id") => of("run issue"),
        (_, "owner_id") => of("user 1"),
        (_, "task_id") => of("task running"),
        (_, "running_task_ids") => format!("ARRAY[{}]", of("task running")),
        (_, "provider") => "'claude'".into(),
        (_, "daemon_id" | "legacy_daemon_id") => "'machine-online'".into(),
        (_, "name" | "device_info" | "error" | "failure_reason" | "session_id" | "work_dir" | "reader") => {
            "'word'".into()
        }
        (_, "runtime_mode") => "'local'".into(),
        (_, "status") => "'online'".into(),
        (_, "capability") => "'reader'".into(),
        (_, "grantee") => "'pg_monitor'".into(),
        (_, "part") => "'verdicts'".into(),
        (_, "registration") => r#"'{"daemon_id": "machine-online", "legacy_daemon_ids": ["MACHINE-OLD"],
            "runtimes": [{"type": "claude"}, {"type": "codex"}]}'"#
            .into(),
        (_, "context" | "metadata" | "result" | "extra" | "data" | "progress") => "'{}'".into(),
        (_, "issue_status") => "'in_review'".into(),
        (_, "incarnation") => of("process"),
        (_, "scope") => "'runtime'".into(),
        (_, "key") => format!("{}::text", of("runtime online")),
        (_, "claim_token" | "expected_agents" | "into_runtime_id" | "trigger_comment_id" | "profile_id" | "reason") => {
            "NULL".into()
        }
        // Where the tables lack a column for them, these are refused.
        (_, "escalation_for_task_id" | "owns_input" | "provenance" | "run_after") => "NULL".into(),
        (_, "after_id") => "0".into(),
        _ => match kind {
            "integer" | "bigint" | "double precision" => "1".into(),
            "boolean" => "true".into(),
            _ => bail!("add a value for {name} {kind} of {function}"),
        },
    };
    Ok(format!("{value}::{kind}"))
}

/// Returns the call of each routine, with its name without the prefix.
fn calls(client: &mut Client) -> Result<Vec<(String, String)>> {
    let call = |routine: &Member| -> Result<(String, String)> {
        let arguments = routine.arguments.iter().zip(&routine.types);
        let values = arguments.map(|(name, kind)| argument(&routine.name, name, kind)).collect::<Result<Vec<_>>>()?;
        let name = routine.name.strip_prefix("multica_").context("a routine without the prefix")?;
        Ok((name.to_string(), routine.call(&values)))
    };
    routines(client)?.iter().map(call).collect()
}

/// Returns a database of a generation with rows and with the extension.
fn installed<'a>(context: &'a Context, generation: &str) -> Result<(Database<'a>, Client)> {
    let database = context.installed_generation(generation)?;
    let client = database.connect()?;
    Ok((database, client))
}

/// Returns the features of a database.
fn features(client: &mut Client) -> Result<Vec<String>> {
    values(client, "SELECT unnest(features) FROM multica_status()")
}

/// Returns the feature because of which a statement is refused, or None if the statement works. Without the pending slot,
/// calls that queue tasks raise 55000 with the hint to run install, which makes it. Any other error fails.
fn refused(client: &mut Client, call: &str) -> Result<Option<String>> {
    let Err(error) = client.batch_execute(call) else { return Ok(None) };
    let error = error.as_db_error().with_context(|| format!("{call}: {error}"))?.clone();
    if error.constraint() == Some("install_needed") && error.detail().is_some_and(|it| it.contains("ON CONFLICT")) {
        return Ok(Some("slot".to_string()));
    }
    ensure!(
        error.code().code() == "0A000" && error.constraint() == Some("unsupported_feature"),
        "{call} fails: {error:?}"
    );
    let feature = error.message().split('"').nth(1).context("no feature in the message")?;
    Ok(Some(feature.to_string()))
}

/// Makes every call and undoes it. Returns the feature because of which it is refused, if it is.
fn make_calls(client: &mut Client, before: &str) -> Result<BTreeMap<String, Option<String>>> {
    let mut outcomes = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, call) in calls(client)? {
        // These procedures cannot run in a transaction.
        let may_commit = ["sweep_all", "install_all"].contains(&name.as_str());
        if may_commit && !before.is_empty() {
            continue;
        }
        let begin = if may_commit { String::new() } else { format!("BEGIN; {before}") };
        client.batch_execute(&begin).with_context(|| begin.clone())?;
        let outcome = refused(client, &call);
        client.batch_execute("ROLLBACK")?;
        match outcome {
            Ok(outcome) => {
                outcomes.insert(name, outcome);
            }
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(outcomes)
}

fn page_shows_what_works_on_each_generation(context: &Context) -> Result<()> {
    let generations = context.generations()?.all();
    let mut rows: Vec<String> = GROUPS.iter().map(|(title, _)| format!("| {title} |")).collect();
    let mut wrong = Vec::new();
    for generation in generations {
        let name = &generation.name;
        let (_database, mut client) = installed(context, name)?;
        let features = features(&mut client)?;
        let outcomes = make_calls(&mut client, "").with_context(|| format!("generation {name}"))?;
        let recover = r#"SELECT FROM multica_register(md5('workspace 1')::uuid,
            '{"daemon_id": "machine-online", "recover": true, "runtimes": [{"type": "claude"}]}')"#;
        let is_refused = refused(&mut client, recover)?.is_some();
        ensure!(is_refused == outcomes["recover_orphans"].is_some(), "{name}: a registration with recover");
        for (function, refused) in &outcomes {
            ensure!(
                GROUPS.iter().any(|(_, functions)| functions.contains(&function.as_str())),
                "multica_{function} is in no group"
            );
            if let Some(feature) = refused.as_ref() {
                let is_needed = NEEDED.contains(&(function.as_str(), feature.as_str()));
                if features.contains(feature) == is_needed {
                    wrong.push(format!("{name}: {function} names {feature} although the tables have {features:?}"));
                }
            }
        }
        for ((title, functions), row) in GROUPS.iter().zip(&mut rows) {
            let works = |function: &&&str| outcomes.get(**function).is_none_or(Option::is_none);
            let working = functions.iter().filter(works).count();
            if working != 0 && working != functions.len() {
                wrong.push(format!("{name}: only some functions work of {title}: {outcomes:?}"));
            }
            row.push_str(if working > 0 { " yes |" } else { " no |" });
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: Vec<&str> = generations.iter().map(|generation| generation.name.as_str()).collect();
    let rule = "---|".repeat(names.len() + 1);
    let table = format!("| calls | {} |\n|{rule}\n{}\n", names.join(" | "), rows.join("\n"));
    ensure!(page(context)?.contains(&table), "docs/compatibility.md must have this table:\n{table}");
    for (title, functions) in GROUPS {
        let functions: Vec<String> = functions.iter().map(|function| format!("`multica_{function}`")).collect();
        let line = format!("| {title} | {} |", functions.join(", "));
        ensure!(page(context)?.contains(&line), "docs/compatibility.md must have this line:\n{line}");
    }
    Ok(())
}

fn page(context: &Context) -> Result<String> {
    Ok(fs::read_to_string(context.project.root.join("docs/compatibility.md"))?)
}

/// A feature as `src/lifecycle/features.rs` declares it.
struct Declared {
    name: String,
    description: String,
    since: Option<u32>,
    until: Option<u32>,
}

/// Reads the declarations: comment lines, then a line with a name and, if the server added it, numbers in brackets.
fn declared(context: &Context) -> Result<Vec<Declared>> {
    let text = fs::read_to_string(context.project.root.join("src/lifecycle/features.rs"))?;
    let (_, list) = text.split_once("\nfeatures! {\n").context("no list of features")?;
    let list = list.split("\n}\n").next().unwrap_or_default();
    let mut description = Vec::new();
    let mut all = Vec::new();
    for line in list.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            description.push(comment.trim());
            continue;
        }
        let [_, name, rest] = line.splitn(3, '"').collect::<Vec<_>>()[..] else { continue };
        let starts = !description.is_empty();
        if !starts {
            continue;
        }
        let numbers = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split(']').next());
        let mut numbers = numbers.unwrap_or_default().split(" to ").map(str::parse);
        let mut next = || numbers.next().and_then(Result::ok);
        let (since, until) = (next(), next());
        all.push(Declared { name: name.to_string(), description: description.join(" "), since, until });
        description.clear();
    }
    ensure!(all.len() > 30, "only {} features were found", all.len());
    Ok(all)
}

fn page_lists_every_feature(context: &Context) -> Result<()> {
    let mut table = String::from("| feature | since | until | the tables |\n|---|---|---|---|\n");
    for Declared { name, description, since, until } in declared(context)? {
        let number = |number: Option<u32>| number.map_or(String::new(), |number| format!("{number:03}"));
        let line = format!("| `{name}` | {} | {} | {description} |\n", number(since), number(until));
        table.push_str(&line);
    }
    ensure!(page(context)?.contains(&table), "docs/compatibility.md must have this table:\n{table}");
    Ok(())
}

fn features_are_those_of_the_generation(context: &Context) -> Result<()> {
    let declared = declared(context)?;
    for generation in context.generations()?.all() {
        let (_database, mut client) = installed(context, &generation.name)?;
        let is_due = |feature: &&Declared| {
            // Install makes what these features need.
            ["retry_policy", "claim_limit", "resumption", "runtime_index", "signs"].contains(&feature.name.as_str())
                || feature.since.is_some_and(|since| since <= generation.number)
                    && feature.until.is_none_or(|until| generation.number < until)
        };
        let expected: Vec<&str> = declared.iter().filter(is_due).map(|feature| feature.name.as_str()).collect();
        let found = features(&mut client)?;
        ensure!(found == expected, "generation {}: {found:?}, not {expected:?}", generation.name);
    }
    Ok(())
}

/// Statements that take features away from the tables of the newest generation, each with features that are gone then.
const LESS: [(&str, &str); 38] = [
    ("chat_runtime", "ALTER TABLE chat_session DROP COLUMN runtime_id"),
    ("fresh", "ALTER TABLE agent_task_queue DROP COLUMN force_fresh_session"),
    ("usage", "DROP TRIGGER trg_atq_dirty_hourly ON agent_task_queue"),
    ("squad", "ALTER TABLE squad RENAME TO team"),
    ("autopilot_squad", "ALTER TABLE autopilot_run DROP COLUMN squad_id"),
    ("leader_task", "ALTER TABLE agent_task_queue DROP COLUMN is_leader_task"),
    ("task_squad", "ALTER TABLE agent_task_queue DROP COLUMN squad_id"),
    ("waiting", "ALTER TABLE agent_task_queue DROP COLUMN wait_reason"),
    ("waiting deferred", "UPDATE agent_task_queue SET status = 'queued', issue_id = NULL
        WHERE status IN ('waiting_local_directory', 'deferred');
        ALTER TABLE agent_task_queue DROP CONSTRAINT agent_task_queue_status_check, ADD CONSTRAINT agent_task_queue_status_check
        CHECK (status IN ('queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled'))"),
    ("token", "DROP TABLE task_token"),
    ("system_comment", "ALTER TABLE comment DROP COLUMN source_task_id"),
    ("profile", "UPDATE agent_runtime SET daemon_id = id WHERE profile_id IS NOT NULL;
        ALTER TABLE agent_runtime DROP COLUMN profile_id;
        ALTER TABLE agent_runtime ADD UNIQUE (workspace_id, daemon_id, provider)"),
    ("lease", "ALTER TABLE agent_task_queue DROP COLUMN prepare_lease_expires_at"),
    ("deferred", "ALTER TABLE agent_task_queue DROP COLUMN fire_at"),
    ("escalation", "ALTER TABLE agent_task_queue DROP COLUMN escalation_for_task_id"),
    ("overlay", "DROP TRIGGER trg_clear_runtime_mcp_overlay ON agent_task_queue;
        ALTER TABLE agent_task_queue DROP COLUMN runtime_mcp_overlay"),
    ("connected_apps", "DROP TRIGGER trg_clear_runtime_mcp_overlay ON agent_task_queue;
        ALTER TABLE agent_task_queue DROP COLUMN runtime_connected_apps"),
    ("initiator", "ALTER TABLE agent_task_queue DROP COLUMN initiator_user_id"),
    ("originator accountable provenance", "ALTER TABLE agent_task_queue DROP COLUMN originator_user_id,
        DROP COLUMN accountable_user_id, DROP COLUMN retry_of_task_id"),
    ("fail_closed", "ALTER TABLE workspace DROP COLUMN attribution_fail_closed"),
    ("coalesced", "ALTER TABLE agent_task_queue DROP COLUMN coalesced_comment_ids"),
    ("delivered", "ALTER TABLE agent_task_queue DROP COLUMN delivered_comment_ids"),
    ("chat_input", "ALTER TABLE agent_task_queue DROP COLUMN chat_input_task_id"),
    ("system_agents", "DELETE FROM agent WHERE kind = 'system'; ALTER TABLE agent DROP COLUMN kind"),
    ("rollout", "ALTER TABLE agent_task_queue DROP COLUMN session_rollout_missing"),
    ("retired", "ALTER TABLE agent_task_queue DROP COLUMN retired_session_id"),
    ("branch durable", "ALTER TABLE agent_task_queue DROP COLUMN branch_name, DROP COLUMN durable_work_dir"),
    ("channel", "DROP TRIGGER IF EXISTS trg_enforce_channel_message_task_context_revision ON chat_message;
        ALTER TABLE agent_task_queue DROP COLUMN channel_context_revision"),
    ("channel_message", "ALTER TABLE chat_message DROP COLUMN channel_ingested"),
    ("unbound", "UPDATE agent SET runtime_id = md5('runtime online')::uuid
        WHERE runtime_id IS NULL; ALTER TABLE agent ALTER COLUMN runtime_id SET NOT NULL"),
    ("slot slot_of_media", "DROP INDEX idx_one_pending_task_per_issue_agent_v2"),
    ("fence", "DROP FUNCTION lock_task_owner_rows(uuid, uuid, uuid)"),
    ("open_status effective_status", "ALTER TABLE issue_status RENAME TO words"),
    ("effective_status", "DROP FUNCTION issue_effective_status(uuid, text)"),
    ("revision activity", "ALTER TABLE issue DROP COLUMN revision, DROP COLUMN last_activity_at"),
    ("runtime_index", "DROP INDEX multica_task_runtime"),
    ("signs", "DROP TABLE multica_task_unnamed"),
    ("pause quota", "ALTER TABLE autopilot DROP COLUMN pause_reason; DROP TABLE autopilot_quota_reservation"),
];

/// No call names a column, table, index or function that the tables lack.
fn calls_work_or_are_refused_without_each_feature(context: &Context) -> Result<()> {
    let (_database, mut client) = installed(context, "397")?;
    let all = features(&mut client)?;
    let mut wrong = Vec::new();
    for (gone, script) in LESS {
        client.batch_execute(&format!("BEGIN; {script}")).with_context(|| format!("without {gone}"))?;
        let left = features(&mut client).with_context(|| format!("without {gone}"))?;
        client.batch_execute("ROLLBACK")?;
        for feature in gone.split(' ') {
            ensure!(
                all.iter().any(|it| it == feature) && !left.iter().any(|it| it == feature),
                "{feature} is not gone"
            );
        }
        if let Err(error) = make_calls(&mut client, script) {
            wrong.push(format!("without {gone}: {error:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The tables that install makes can have the columns of a newer server, and no server writes them.
fn tables_made_by_install_are_never_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(
        "ALTER TABLE agent_task_queue ADD COLUMN IF NOT EXISTS prepare_lease_expires_at timestamptz;
         ALTER TABLE chat_session ADD COLUMN IF NOT EXISTS runtime_id uuid",
    )?;
    let (runtime, agent) = (id("b1"), id("c1"));
    for call in
        [format!("multica_claim({runtime})"), format!("multica_enqueue({agent})"), "multica_sweep()".to_string()]
    {
        let refused = refused(&mut client, &format!("SELECT FROM {call}"))?;
        ensure!(refused.is_none(), "{call} is refused because of {refused:?}");
    }
    Ok(())
}

fn refusal_names_function_and_feature(context: &Context) -> Result<()> {
    let (_database, mut client) = installed(context, "055")?;
    let unbound = |how: &str| {
        format!(
            "ALTER TABLE agent ALTER COLUMN runtime_id {how} NOT NULL;
             ALTER TABLE agent_task_queue ALTER COLUMN runtime_id {how} NOT NULL"
        )
    };
    client.batch_execute(&unbound("DROP"))?;
    client.batch_execute(
        "CREATE FUNCTION told(call text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE told text; detail text; hint text;
         BEGIN
             EXECUTE call;
             RETURN 'done';
         EXCEPTION WHEN feature_not_supported THEN
             GET STACKED DIAGNOSTICS told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
             RETURN concat_ws(' | ', told, detail, hint);
         END $$",
    )?;
    let delete = "multica_delete_archived_agents";
    for (call, parts) in [
        (
            delete,
            [
                "multica_delete_archived_agents does not work yet with feature \"unbound\" of this database | ",
                " | An agent or an ended task can have no runtime",
            ],
        ),
        (
            "multica_wait",
            [
                "multica_wait does not work in this database without feature \"waiting\" | ",
                " | A claimed task can wait for a directory",
            ],
        ),
    ] {
        let told = value(&mut client, &format!("SELECT told('SELECT {call}(md5(''task dispatched'')::uuid)')"))?;
        for part in parts.into_iter().chain([" | docs/compatibility.md lists "]) {
            ensure!(format!(" | {told}").contains(part), "{told}");
        }
    }
    client.batch_execute(&unbound("SET"))?;
    expect_state(&mut client, &format!("SELECT {delete}(NULL)"), "22004")?;
    expect(
        &mut client,
        "SELECT features FROM multica_status()",
        "{task_beat,run_priority,slot,runtime_index,signs,retry_policy,claim_limit,resumption}",
    )
}
