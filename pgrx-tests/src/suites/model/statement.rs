//! Steps as SQL.

use anyhow::{Context as _, Result};

use super::step::{Call, List, Scope, Step, Token};
use super::task::{Status, Task};
use super::world::Model;

/// The workspace of the fixture.
const WORKSPACE: &str = "'00000000-0000-4000-8000-0000000000a1'";
/// The time of a task for later. It is the same in a whole sequence, which is one transaction.
const LATER: &str = "now() + interval '1 hour'";

fn id(label: &str, at: usize) -> String {
    format!("'00000000-0000-4000-8000-0000000000{label}{}'", at + 1)
}

fn runtime(at: usize) -> String {
    id("b", at)
}

fn agent(at: usize) -> String {
    id("c", at)
}

fn issue(at: usize) -> String {
    id("d", at)
}

fn chat(at: usize) -> String {
    id("5", at)
}

fn incarnation(process: Option<usize>) -> String {
    process.map_or("NULL".to_string(), |at| id("e", at))
}

fn or_null(number: Option<i32>) -> String {
    number.map_or("NULL".to_string(), |number| number.to_string())
}

fn known(task: &Task) -> Result<String> {
    Ok(format!("'{}'", task.id.context("a task of the model has no row")?))
}

fn enqueue(call: &str, most: i32, later: bool) -> String {
    let run_after = if later { LATER } else { "NULL" };
    format!(
        "SELECT unnest(ARRAY[task_id::text, created::text])
         FROM {call}, max_attempts => {most}, run_after => {run_after})"
    )
}

/// Returns the statement of a step, or None if it is about a task and there is no such task. The statement returns rows
/// of one text column.
pub fn statement(model: &Model, step: Step) -> Result<Option<String>> {
    let all = || -> Result<String> {
        let ids = model.tasks.iter().map(known);
        Ok(format!("ARRAY[{}]::uuid[]", ids.collect::<Result<Vec<_>>>()?.join(", ")))
    };
    Ok(Some(match step {
        Step::Task(which, call) => match model.task_of(which, call) {
            Some(at) => of_task(&model.tasks[at], call)?,
            None => return Ok(None),
        },
        Step::Issue(at, most, later) => enqueue(&format!("multica_enqueue_issue({}", issue(at)), most, later),
        Step::Mention(at, of) => enqueue(&format!("multica_enqueue_mention({}, {}", issue(at), agent(of)), 2, false),
        Step::Chat(at, most, later) => enqueue(&format!("multica_enqueue_chat({}", chat(at)), most, later),
        Step::WithoutSource(at, most, later) => enqueue(&format!("multica_enqueue({}", agent(at)), most, later),
        Step::Claim(at, most, process) => {
            format!("SELECT id::text FROM multica_claim({}, {most}, {})", runtime(at), incarnation(process))
        }
        Step::CancelIssue(at, of) => format!(
            "SELECT count(*)::text FROM multica_cancel_issue_tasks({}, {})",
            issue(at),
            of.map_or("NULL".to_string(), agent)
        ),
        Step::CancelAgent(at) => {
            format!("SELECT count(*)::text FROM multica_cancel_agent_tasks({})", agent(at))
        }
        Step::Rerun(at) => format!("SELECT unnest(ARRAY[id::text, attempt::text]) FROM multica_rerun({})", issue(at)),
        Step::Sweep => {
            "SELECT unnest(ARRAY[runtimes_offline, tasks_failed, tasks_timed_out, tasks_retried, issues_reset, \
                        agents_reconciled])::text FROM multica_sweep()"
                .to_string()
        }
        Step::Register(at, process, recovers) => format!(
            "SELECT count(*)::text FROM multica_register({WORKSPACE}, jsonb_strip_nulls(jsonb_build_object(
                 'daemon_id', 'machine-{}', 'incarnation', {}::text, 'recover', {recovers},
                 'runtimes', '[{{\"type\": \"claude\"}}]'::jsonb)))",
            at + 1,
            incarnation(process)
        ),
        Step::Recover(at, keep, process) => {
            let keep = model.task_of(keep, Call::Pin(Token::None));
            let keep = keep.map(|at| known(&model.tasks[at])).transpose()?;
            format!(
                "SELECT unnest(ARRAY[orphaned, retried])::text FROM multica_recover_orphans({}, {}, {})",
                runtime(at),
                keep.map_or("NULL".to_string(), |task| format!("ARRAY[{task}]::uuid[]")),
                incarnation(process)
            )
        }
        Step::Heartbeat(at, list, process) => format!(
            "SELECT unnest(ARRAY[status, COALESCE(array_to_string(stop_task_ids, ' '), ''),
                        COALESCE(array_to_string(resume_task_ids, ' '), '')])
             FROM multica_heartbeat({}, {}, {})",
            runtime(at),
            match list {
                List::None => "NULL".to_string(),
                List::Empty => "'{}'".to_string(),
                List::Full => all()?,
            },
            incarnation(process)
        ),
        Step::Offline(at) => format!("SELECT multica_set_runtime_offline({})::text", runtime(at)),
        Step::HandleFailed => format!(
            "SELECT unnest(ARRAY[retried, issues_reset, agents_reconciled])::text FROM multica_handle_failed_tasks({})",
            all()?
        ),
        Step::Reconcile(at) => format!("SELECT multica_reconcile_agent({})", agent(at)),
        Step::Limit(scope, most) => {
            let scope = match scope {
                Scope::Runtime(at) => format!("'runtime', {}", runtime(at)),
                Scope::Provider => "'provider', 'claude'".to_string(),
                Scope::Workspace => format!("'workspace', {WORKSPACE}"),
            };
            format!("SELECT multica_limit({scope}, {})::text", or_null(most))
        }
        Step::Silence(at, secs) => format!(
            "UPDATE agent_runtime SET last_seen_at = clock_timestamp() - interval '{secs} s' WHERE id = {}",
            runtime(at)
        ),
        Step::Archive(at, archived) => format!(
            "UPDATE agent SET archived_at = {} WHERE id = {}",
            if archived { "now()" } else { "NULL" },
            agent(at)
        ),
        Step::Move(at, to) => format!("UPDATE agent SET runtime_id = {} WHERE id = {}", runtime(to), agent(at)),
        Step::Capacity(at, capacity) => {
            format!("UPDATE agent SET max_concurrent_tasks = {capacity} WHERE id = {}", agent(at))
        }
        Step::IssueStatus(at, status) => {
            format!("UPDATE issue SET status = '{status}' WHERE id = {}", issue(at))
        }
    }))
}

/// Returns the statement of a call about one task.
fn of_task(row: &Task, call: Call) -> Result<String> {
    let task = known(row)?;
    let token = match call.token() {
        None | Some(Token::None) => "NULL".to_string(),
        Some(Token::Stale) => "1".to_string(),
        Some(Token::Current) => format!(
            "(SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue WHERE id = {task})"
        ),
    };
    Ok(match call {
        Call::Start(_) => format!("SELECT applied::text FROM multica_start({task}, {token})"),
        Call::Wait(_) => format!("SELECT applied::text FROM multica_wait({task}, 'in use', {token})"),
        Call::ExtendLease(_) => format!("SELECT applied::text FROM multica_extend_lease({task}, {token})"),
        Call::Requeue(_) => format!("SELECT applied::text FROM multica_requeue({task}, {token})"),
        Call::Pin(_) if row.status == Status::Cancelled => {
            format!("SELECT 'late' FROM multica_pin_session({task}, 's', NULL, {token})")
        }
        Call::Pin(_) => format!("SELECT multica_pin_session({task}, 's', NULL, {token})::text"),
        Call::Complete(_) => {
            format!(
                "SELECT unnest(ARRAY[id::text, applied::text]) FROM multica_complete({task}, claim_token => {token})"
            )
        }
        Call::Fail(reason, _) => format!(
            "SELECT x FROM multica_fail({task}, 'x', {}, claim_token => {token}) AS f,
                 unnest(ARRAY[f.id::text, f.applied::text, f.retry_task_id::text]) AS x WHERE x IS NOT NULL",
            reason.map_or("NULL".to_string(), |reason| format!("'{reason}'"))
        ),
        Call::Resume(_) => format!("SELECT unnest(ARRAY[id::text, status]) FROM multica_resume({task}, {token})"),
        Call::Cancel => format!("SELECT applied::text FROM multica_cancel({task})"),
        Call::Retry => format!("SELECT id::text FROM multica_retry({task})"),
        Call::Age(secs) => age(&task, secs),
        Call::FailByHand => format!(
            "UPDATE agent_task_queue
             SET status = 'failed', failure_reason = 'timeout', completed_at = clock_timestamp(),
                 prepare_lease_expires_at = NULL, wait_reason = NULL
             WHERE id = {task} AND status IN ('dispatched', 'running', 'waiting_local_directory')"
        ),
    })
}

/// Moves the times of an active task into the past, and with them those of what is stored about its claim.
fn age(task: &str, secs: i64) -> String {
    format!(
        "WITH aged AS (
             UPDATE agent_task_queue
             SET dispatched_at = dispatched_at - interval '{secs} s',
                 prepare_lease_expires_at = prepare_lease_expires_at - interval '{secs} s',
                 started_at = started_at - interval '{secs} s',
                 last_heartbeat_at = last_heartbeat_at - interval '{secs} s',
                 fire_at = fire_at - interval '{secs} s'
             WHERE id = {task} AND completed_at IS NULL
             RETURNING id
         ), process AS (
             UPDATE multica_task_incarnation AS i SET claimed_at = i.claimed_at - interval '{secs} s'
             FROM aged WHERE i.task_id = aged.id
         )
         UPDATE multica_task_unnamed AS u
         SET claimed_at = u.claimed_at - interval '{secs} s', missed_at = u.missed_at - interval '{secs} s'
         FROM aged WHERE u.task_id = aged.id"
    )
}
