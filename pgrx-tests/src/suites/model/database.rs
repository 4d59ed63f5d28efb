//! Steps as SQL, and the rows in the database after each.

use anyhow::{Context as _, Result, ensure};
use postgres::{SimpleQueryMessage, SimpleQueryRow, Transaction};
use uuid::Uuid;

use super::step::{Step, Token};
use super::task::Task;
use super::world::Model;

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

fn known(task: &Task) -> Result<Uuid> {
    task.id.context("a task of the model has no row")
}

/// Returns the statement of a step, or None if it is about a task and there is no task yet. The statement returns rows
/// of one text column.
pub fn statement(model: &Model, step: Step) -> Result<Option<String>> {
    let task_of = |task: usize| -> Result<Option<String>> {
        let of = |at: usize| known(&model.tasks[at]).map(|id| format!("'{id}'"));
        model.task_of(task).map(of).transpose()
    };
    let all = || -> Result<String> {
        let ids = model.tasks.iter().map(|task| Ok(format!("'{}'", known(task)?)));
        Ok(format!("ARRAY[{}]::uuid[]", ids.collect::<Result<Vec<_>>>()?.join(", ")))
    };
    let token = |task: &str, token: Token| match token {
        Token::None => "NULL".to_string(),
        Token::Stale => "1".to_string(),
        Token::Current => format!(
            "(SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint FROM agent_task_queue WHERE id = {task})"
        ),
    };
    macro_rules! of_task {
        ($task:expr) => {
            match task_of($task)? {
                Some(task) => task,
                None => return Ok(None),
            }
        };
    }
    Ok(Some(match step {
        Step::Issue(at, most) => format!(
            "SELECT unnest(ARRAY[task_id::text, created::text]) FROM multica_enqueue_issue({}, max_attempts => {most})",
            issue(at)
        ),
        Step::Mention(at, of) => format!(
            "SELECT unnest(ARRAY[task_id::text, created::text]) FROM multica_enqueue_mention({}, {})",
            issue(at),
            agent(of)
        ),
        Step::Chat(at, most) => format!(
            "SELECT unnest(ARRAY[task_id::text, created::text]) FROM multica_enqueue_chat({}, max_attempts => {most})",
            chat(at)
        ),
        Step::WithoutSource(at, most) => format!(
            "SELECT unnest(ARRAY[task_id::text, created::text]) FROM multica_enqueue({}, max_attempts => {most})",
            agent(at)
        ),
        Step::Claim(at, most) => format!("SELECT id::text FROM multica_claim({}, {most})", runtime(at)),
        Step::Start(task, shown) => {
            let task = of_task!(task);
            format!("SELECT applied::text FROM multica_start({task}, {})", token(&task, shown))
        }
        Step::Pin(task, shown) => {
            let task = of_task!(task);
            format!("SELECT multica_pin_session({task}, 's', NULL, {})::text", token(&task, shown))
        }
        Step::Complete(task, shown) => {
            let task = of_task!(task);
            format!("SELECT applied::text FROM multica_complete({task}, claim_token => {})", token(&task, shown))
        }
        Step::Fail(task, may_retry, shown) => {
            let task = of_task!(task);
            let reason = if may_retry { "'timeout'" } else { "NULL" };
            format!(
                "SELECT x FROM multica_fail({task}, 'x', {reason}, claim_token => {}) AS f,
                     unnest(ARRAY[f.applied::text, f.retry_task_id::text]) AS x WHERE x IS NOT NULL",
                token(&task, shown)
            )
        }
        Step::Cancel(task) => {
            format!("SELECT applied::text FROM multica_cancel({})", of_task!(task))
        }
        Step::CancelIssue(at, of) => format!(
            "SELECT count(*)::text FROM multica_cancel_issue_tasks({}, {})",
            issue(at),
            of.map_or("NULL".to_string(), agent)
        ),
        Step::CancelAgent(at) => {
            format!("SELECT count(*)::text FROM multica_cancel_agent_tasks({})", agent(at))
        }
        Step::Retry(task) => format!("SELECT id::text FROM multica_retry({})", of_task!(task)),
        Step::Rerun(at) => format!("SELECT unnest(ARRAY[id::text, attempt::text]) FROM multica_rerun({})", issue(at)),
        Step::Sweep => {
            "SELECT unnest(ARRAY[runtimes_offline, tasks_failed, tasks_timed_out, tasks_retried, issues_reset, \
                        agents_reconciled])::text FROM multica_sweep()"
                .to_string()
        }
        Step::Recover(at, keep) => format!(
            "SELECT unnest(ARRAY[orphaned, retried])::text FROM multica_recover_orphans({}, {})",
            runtime(at),
            task_of(keep)?.map_or("NULL".to_string(), |task| format!("ARRAY[{task}]::uuid[]"))
        ),
        Step::Heartbeat(at) => format!(
            "SELECT unnest(ARRAY[status, cardinality(stop_task_ids)::text]) FROM multica_heartbeat({}, {})",
            runtime(at),
            all()?
        ),
        Step::Offline(at) => format!("SELECT multica_set_runtime_offline({})::text", runtime(at)),
        Step::HandleFailed => format!(
            "SELECT unnest(ARRAY[retried, issues_reset, agents_reconciled])::text FROM multica_handle_failed_tasks({})",
            all()?
        ),
        Step::Reconcile(at) => format!("SELECT multica_reconcile_agent({})", agent(at)),
        Step::Silence(at, secs) => format!(
            "UPDATE agent_runtime SET last_seen_at = clock_timestamp() - interval '{secs} s' WHERE id = {}",
            runtime(at)
        ),
        Step::Age(task, secs) => format!(
            "UPDATE agent_task_queue SET
                 dispatched_at = CASE WHEN dispatched_at IS NOT NULL THEN clock_timestamp() - interval '{secs} s' END,
                 started_at = CASE WHEN started_at IS NOT NULL THEN clock_timestamp() - interval '{secs} s' END,
                 prepare_lease_expires_at = CASE WHEN prepare_lease_expires_at IS NOT NULL
                     THEN clock_timestamp() - interval '{secs} s' + interval '45 s' END
             WHERE id = {}",
            of_task!(task)
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
        Step::FailByHand(task) => format!(
            "UPDATE agent_task_queue SET status = 'failed', failure_reason = 'timeout', completed_at = clock_timestamp()
             WHERE id = {} AND status IN ('dispatched', 'running')",
            of_task!(task)
        ),
    }))
}

/// The result of a step: the returned texts or the SQLSTATE of its error, and the rows after the step.
pub struct Outcome {
    /// The returned texts or the SQLSTATE.
    pub answer: std::result::Result<Vec<String>, String>,
    state: Vec<SimpleQueryRow>,
}

/// Runs a statement and reads the rows after it, in one message to the server. The changes of a statement that fails
/// are rolled back.
pub fn execute(transaction: &mut Transaction, sql: &str, state: &str) -> Result<Outcome> {
    let script = format!("SAVEPOINT step; {sql}; RELEASE step; {state}");
    let (answer, messages) = match transaction.simple_query(&script) {
        Ok(messages) => (Ok(()), messages),
        Err(error) => {
            let code = error.code().with_context(|| format!("{sql}: {error:?}"))?;
            let messages = transaction.simple_query(&format!("ROLLBACK TO step; {state}"))?;
            (Err(code.code().to_string()), messages)
        }
    };
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let (words, state): (Vec<_>, Vec<_>) = rows.partition(|row| row.len() == 1);
    let words = words.iter().map(|row| row.get(0).unwrap_or_default().to_string());
    Ok(Outcome { answer: answer.map(|()| words.collect()), state })
}

/// Compares the rows with the model; new tasks of the model get their ids.
pub fn compare(outcome: &Outcome, model: &mut Model) -> Result<()> {
    let mut found: Vec<String> = Vec::new();
    for row in &outcome.state {
        let line = row.get(3).unwrap_or_default();
        let Some(id) = row.get(1) else {
            found.push(line.to_string());
            continue;
        };
        let id = Uuid::parse_str(id)?;
        let parent = row.get(2).map(Uuid::parse_str).transpose()?;
        let parent = parent.map(|parent| find(model, parent)).transpose()?;
        let at = match find(model, id) {
            Ok(at) => at,
            Err(_) => {
                let is_new = |task: &Task| task.id.is_none() && task.parent == parent;
                let at = model.tasks.iter().position(is_new);
                let at = at.with_context(|| format!("a task that the model does not have: {line}"))?;
                model.tasks[at].id = Some(id);
                at
            }
        };
        found.push(format!("#{at} {line}"));
    }
    let expected = lines(model);
    let missing: Vec<&String> = expected.iter().filter(|line| !found.contains(line)).collect();
    let surplus: Vec<&String> = found.iter().filter(|line| !expected.contains(line)).collect();
    ensure!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, found {surplus:?}");
    Ok(())
}

/// Returns the index of a row in the model.
pub fn find(model: &Model, id: Uuid) -> Result<usize> {
    let at = model.tasks.iter().position(|task| task.id == Some(id));
    at.with_context(|| format!("the model has no task {id}"))
}

/// Returns the texts of a result, in which tasks are replaced by their index in the model.
pub fn numbered(model: &Model, words: Vec<String>) -> Result<Vec<String>> {
    let number = |word: String| match Uuid::parse_str(&word) {
        Ok(id) => Ok(format!("#{}", find(model, id)?)),
        Err(_) => Ok(word),
    };
    words.into_iter().map(number).collect()
}

fn lines(model: &Model) -> Vec<String> {
    let tasks = model.tasks.iter().enumerate();
    let mut lines: Vec<String> = tasks.map(|(at, task)| format!("#{at} {}", task.line())).collect();
    for (at, runtime) in model.runtimes.iter().enumerate() {
        let status = if runtime.online { "online" } else { "offline" };
        lines.push(format!("b{} {status}", at + 1));
    }
    for (at, agent) in model.agents.iter().enumerate() {
        let status = if agent.working { "working" } else { "idle" };
        lines.push(format!("c{} {status}", at + 1));
    }
    for (at, status) in model.issues.iter().enumerate() {
        lines.push(format!("d{} {status}", at + 1));
    }
    lines.extend(model.events.iter().map(|(kind, many)| format!("{kind} {many}")));
    lines
}
