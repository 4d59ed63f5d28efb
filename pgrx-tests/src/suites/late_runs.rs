//! A run that outlives its verdict: a machine was only asleep, or a result arrives late. Its process takes over the
//! retry, and no finished work is done twice.

mod refused;
mod servers;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, id, team, value, values};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    machine_that_slept_goes_on_with_its_run,
    result_that_arrives_late_is_kept,
    failure_that_arrives_late_is_kept,
    failure_that_is_reported_twice_uses_up_no_retry,
    result_is_kept_although_agent_is_full,
    lost_answer_of_resume_is_repeated,
    run_that_sleeps_twice_goes_on,
    dispatched_task_goes_on,
    chat_turn_goes_on_and_keeps_its_session,
    deferred_retry_goes_on,
    claims_of_resume_belong_to_their_process,
    sweep_keeps_what_resume_needs,
    resume_sets_runtime_online_only_if_necessary,
    calls_work_before_install_adds_the_column,
    trigger_that_keeps_retry_is_named,
    refused::claimed_retry_is_not_taken_over,
    refused::work_that_is_no_longer_wanted_is_refused,
    refused::retry_with_newer_work_is_refused,
    refused::full_agent_gets_no_run_back,
    refused::limit_gives_no_run_back,
    refused::runtime_that_cannot_run_tasks_gets_no_run_back,
    refused::replaced_process_takes_over_nothing,
    servers::run_goes_on_in_tables_of_servers,
    servers::bare_task_goes_on_alone,
];

/// A run on runtime b1: the task, and the token of its claim.
pub struct Run {
    /// The task, as an SQL literal.
    pub task: String,
    /// The token.
    pub token: String,
}

impl Run {
    /// Returns the call that resumes the run.
    pub fn resume(&self) -> String {
        format!("multica_resume({}, {})", self.task, self.token)
    }

    /// Returns the call that completes the task of the run.
    pub fn complete(&self) -> String {
        format!("multica_complete({}, '{{\"output\": \"done\"}}', claim_token => {})", self.task, self.token)
    }

    /// Returns the heartbeat of a daemon that works on the run.
    pub fn heartbeat(&self) -> String {
        format!("multica_heartbeat({}, ARRAY[{}]::uuid[])", id("b1"), self.task)
    }
}

/// Claims and starts a queued task of runtime b1, and stores where it can be resumed.
pub fn run(client: &mut Client) -> Result<Run> {
    let run = claim(client, "")?;
    client.batch_execute(&format!(
        "SELECT FROM multica_start({task}, {token});
         SELECT multica_pin_session({task}, 'session', '/work', {token})",
        task = run.task,
        token = run.token
    ))?;
    Ok(run)
}

/// Claims a queued task of runtime b1. `more`: further arguments of the call.
pub fn claim(client: &mut Client, more: &str) -> Result<Run> {
    let row = value(client, &format!("SELECT id, claim_token FROM multica_claim({}, 1{more})", id("b1")))?;
    let (task, token) = row.split_once(' ').context("nothing to claim")?;
    Ok(Run { task: format!("'{task}'"), token: token.into() })
}

/// Lets runtime b1 be silent for long enough, and sweeps.
pub fn sleep(client: &mut Client) -> Result<()> {
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour' WHERE id = {}; SELECT FROM multica_sweep()",
        id("b1")
    ))?;
    Ok(())
}

/// A database with the fixture `team`, in which a run on issue d1 was failed while its machine slept.
pub fn asleep(context: &Context) -> Result<(Database<'_>, Client, Run)> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    let run = run(&mut client)?;
    sleep(&mut client)?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 queued ")?;
    Ok((database, client, run))
}

/// All tasks: attempt, status, reason.
pub const STORY: &str = "SELECT attempt, status, failure_reason FROM agent_task_queue ORDER BY created_at, attempt";

/// The types of the events from the first run that went on, in their order.
const EVENTS: &str = "SELECT type FROM multica_event_log AS e
    WHERE e.id >= (SELECT min(r.id) FROM multica_event_log AS r WHERE r.type = 'task:resumed') ORDER BY id";

fn machine_that_slept_goes_on_with_its_run(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    let failed = format!("SELECT t.* FROM agent_task_queue AS t WHERE t.id = {}", run.task);
    let before = value(&mut client, &failed)?;
    let told = format!(
        "SELECT stop_task_ids = resume_task_ids, resume_task_ids = ARRAY[{}::uuid] FROM {}",
        run.task,
        run.heartbeat()
    );
    expect(&mut client, &told, "t t")?;
    let resumed = values(
        &mut client,
        &format!(
            "SELECT r.id, r.claim_token, r.status, r.attempt, r.parent_task_id = {}, r.session_id, r.prior_session_id,
                 r.prior_work_dir, r.dispatched_at = r.started_at, r.workspace_id = {}
             FROM {} AS r",
            run.task,
            id("a1"),
            run.resume()
        ),
    )?
    .concat();
    let fields: Vec<&str> = resumed.split(' ').collect();
    ensure!(fields[2..] == ["running", "2", "t", "session", "session", "/work", "t", "t"], "{resumed}");
    let retry = Run { task: format!("'{}'", fields[0]), token: fields[1].into() };
    expect(&mut client, &failed, &before)?;
    expect(&mut client, EVENTS, "task:resumed\nagent:status")?;
    expect(
        &mut client,
        &format!(
            "SELECT payload ->> 'task_id' = {}, payload ->> 'resumed_task_id' = {}, payload ->> 'parent_task_id' = {},
                 payload ->> 'status', workspace_id = {}
             FROM multica_event_log WHERE type = 'task:resumed'",
            retry.task,
            run.task,
            run.task,
            id("a1")
        ),
        "t t t running t",
    )?;
    expect(&mut client, "SELECT status FROM agent WHERE name = 'Ada'", "working")?;
    expect(
        &mut client,
        "SELECT status FROM issue WHERE number = 1 AND title = 'issue' ORDER BY id LIMIT 1",
        "in_progress",
    )?;
    let beat = format!("SELECT stop_task_ids, resume_task_ids FROM {}", retry.heartbeat());
    expect(&mut client, &beat, "{} {}")?;
    expect(&mut client, &format!("SELECT status, applied FROM {}", retry.complete()), "completed t")?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 completed ")
}

/// The daemon knows nothing of retries, or its agent finished while the machine had no network. The result belongs to
/// the retry, and a repeated call returns the same row.
fn result_that_arrives_late_is_kept(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    let complete = format!(
        "SELECT c.status, c.applied, c.attempt, c.parent_task_id = {}, c.result, c.session_id, c.first_execution FROM {} AS c",
        run.task,
        run.complete()
    );
    // Without the token, the task is returned as it is.
    let without = format!("SELECT status, applied FROM multica_complete({}, '{{}}')", run.task);
    expect(&mut client, &without, "failed f")?;
    expect(&mut client, &complete, "completed t 2 t {\"output\": \"done\"} session t")?;
    expect(&mut client, EVENTS, "task:resumed\ntask:completed")?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 completed ")?;
    expect(&mut client, &complete, "completed f 2 t {\"output\": \"done\"} session f")?;
    expect(&mut client, EVENTS, "task:resumed\ntask:completed")?;
    expect(&mut client, "SELECT status FROM agent WHERE name = 'Ada'", "idle")?;
    // The runtime is still offline: the call is about a run that has ended.
    expect(&mut client, &format!("SELECT status FROM agent_runtime WHERE id = {}", id("b1")), "offline")
}

/// The failure of the agent is the failure of the retry, with its consequences.
fn failure_that_arrives_late_is_kept(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    let fail = format!(
        "SELECT attempt, status, applied, error, failure_reason, retry_task_id IS NULL
         FROM multica_fail({}, 'broken', 'agent_error.process_failure', claim_token => {})",
        run.task, run.token
    );
    expect(&mut client, &fail, "2 failed t broken agent_error.process_failure t")?;
    expect(&mut client, EVENTS, "task:resumed\ntask:failed\nissue:updated")?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 failed agent_error.process_failure")?;
    expect(&mut client, "SELECT status FROM issue WHERE number = 1 AND title = 'issue' ORDER BY id LIMIT 1", "todo")?;
    expect(&mut client, &fail, "2 failed f broken agent_error.process_failure t")
}

/// A daemon reports a failure with a reason that a verdict has too. The report is repeated because its answer was lost.
fn failure_that_is_reported_twice_uses_up_no_retry(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    let run = run(&mut client)?;
    for reason in ["timeout", "runtime_offline"] {
        client.batch_execute("UPDATE agent_task_queue SET max_attempts = 3")?;
        let fail = format!(
            "SELECT status, applied FROM multica_fail({}, 'no answer', '{reason}', claim_token => {})",
            run.task, run.token
        );
        expect(&mut client, &fail, if reason == "timeout" { "failed t" } else { "failed f" })?;
        expect(&mut client, &fail, "failed f")?;
        expect(&mut client, STORY, "1 failed timeout\n2 queued ")?;
    }
    Ok(())
}

/// A run that has ended takes no place of its agent.
fn result_is_kept_although_agent_is_full(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    client.batch_execute("UPDATE agent SET max_concurrent_tasks = 1; SELECT task('e1', status => 'running')")?;
    expect(&mut client, &format!("SELECT status, applied, attempt FROM {}", run.complete()), "completed t 2")?;
    expect(&mut client, "SELECT status FROM agent WHERE name = 'Ada'", "working")
}

/// The claim of a run that goes on is returned again, by either token.
fn lost_answer_of_resume_is_repeated(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    // As long as silence has not failed a task, its claim is returned as it is.
    let resume = format!("SELECT id, claim_token, prior_session_id FROM {}", run.resume());
    let first = value(&mut client, &resume)?;
    let written = "SELECT xmin FROM agent_task_queue ORDER BY attempt";
    let (before, events) = (values(&mut client, written)?, values(&mut client, EVENTS)?);
    expect(&mut client, &resume, &first)?;
    let beat = format!("SELECT stop_task_ids = resume_task_ids FROM {}", run.heartbeat());
    expect(&mut client, &beat, "t")?;
    let mut parts = first.split(' ');
    let retry =
        Run { task: format!("'{}'", parts.next().context("a task")?), token: parts.next().context("a token")?.into() };
    expect(&mut client, &format!("SELECT id, claim_token, prior_session_id FROM {}", retry.resume()), &first)?;
    ensure!(before == values(&mut client, written)? && events == values(&mut client, EVENTS)?, "something was written");
    // The daemon has never got the answer, and completes the task that it knows.
    expect(
        &mut client,
        &format!("SELECT id = {}, status, applied FROM {}", retry.task, run.complete()),
        "t completed t",
    )?;
    expect(
        &mut client,
        &format!("SELECT id = {}, status, applied FROM {}", retry.task, run.complete()),
        "t completed f",
    )?;
    expect(
        &mut client,
        &format!("SELECT id = {}, status, applied FROM {}", retry.task, retry.complete()),
        "t completed f",
    )
}

/// Only the last retry counts, whichever token of the run the process has.
fn run_that_sleeps_twice_goes_on(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}); UPDATE agent_task_queue SET max_attempts = 4",
        id("d1")
    ))?;
    let run = run(&mut client)?;
    sleep(&mut client)?;
    client.batch_execute(&format!("SELECT FROM {}", run.resume()))?;
    sleep(&mut client)?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 failed runtime_offline\n3 queued ")?;
    expect(
        &mut client,
        &format!("SELECT attempt, status, prior_session_id FROM {}", run.resume()),
        "3 running session",
    )?;
    sleep(&mut client)?;
    expect(&mut client, &format!("SELECT attempt, status, applied FROM {}", run.complete()), "4 completed t")?;
    expect(&mut client, &format!("SELECT attempt, status, applied FROM {}", run.complete()), "4 completed f")
}

/// The machine fell asleep between the claim and the start, and the verdict is that the task took too long.
fn dispatched_task_goes_on(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue_issue({})", id("d1")))?;
    let run = claim(&mut client, "")?;
    client.batch_execute(
        "UPDATE agent_task_queue SET dispatched_at = dispatched_at - interval '1 hour', prepare_lease_expires_at = now();
         SELECT FROM multica_fail_stale_tasks(300, 9000)",
    )?;
    expect(&mut client, STORY, "1 failed timeout\n2 queued ")?;
    let token = run.token.parse::<i64>()? - 3_600_000_000;
    let run = Run { token: token.to_string(), ..run };
    expect(&mut client, &format!("SELECT attempt, status, started_at IS NOT NULL FROM {}", run.resume()), "2 running t")
}

fn chat_turn_goes_on_and_keeps_its_session(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_chat({chat}); SELECT FROM multica_enqueue_chat({chat})",
        chat = id("51")
    ))?;
    let run = run(&mut client)?;
    sleep(&mut client)?;
    expect(
        &mut client,
        &format!("SELECT attempt, status, prior_session_id FROM {}", run.resume()),
        "2 running session",
    )?;
    // The second turn waits for the first one.
    expect(&mut client, &format!("SELECT count(*) FROM multica_claim({}, 5)", id("b1")), "0")?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", run.complete()), "2 completed")?;
    expect(
        &mut client,
        &format!("SELECT session_id, work_dir FROM chat_session WHERE id = {}", id("51")),
        "session /work",
    )?;
    expect(&mut client, "SELECT count(*) FROM multica_event_log WHERE type = 'chat:done'", "1")?;
    expect(&mut client, &format!("SELECT prior_session_id FROM multica_claim({}, 5)", id("b1")), "session")
}

/// The policy delays the retry, and the session would not be resumed. The run is still in its session.
fn deferred_retry_goes_on(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "INSERT INTO multica_retry_policy (reason, delay_secs, keeps_session) VALUES ('runtime_offline', 3600, false);
         SELECT FROM multica_enqueue_issue({})",
        id("d1")
    ))?;
    let run = run(&mut client)?;
    sleep(&mut client)?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 deferred ")?;
    expect(&mut client, &format!("SELECT cardinality(resume_task_ids) FROM {}", run.heartbeat()), "1")?;
    expect(
        &mut client,
        &format!("SELECT attempt, status, prior_session_id FROM {}", run.resume()),
        "2 running session",
    )?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", run.complete()), "2 completed")
}

/// A recovery by the same process spares the retry that it took over, and that of another process fails it.
fn claims_of_resume_belong_to_their_process(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let process = "'00000000-0000-4000-8000-0000000000f8'";
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}); INSERT INTO multica_runtime_incarnation VALUES ({}, {process}, now())",
        id("d1"),
        id("b1")
    ))?;
    let run = claim(&mut client, &format!(", {process}"))?;
    client.batch_execute(&format!("SELECT FROM multica_start({}, {})", run.task, run.token))?;
    sleep(&mut client)?;
    client.batch_execute(&format!("SELECT FROM {}", run.resume()))?;
    let recover =
        |process: &str| format!("SELECT orphaned FROM multica_recover_orphans({}, NULL, {process})", id("b1"));
    expect(&mut client, &recover(process), "0")?;
    expect(&mut client, &recover("NULL"), "1")?;
    // A recovery is no silence.
    let Err(error) = client.batch_execute(&format!("SELECT FROM {}", run.resume())) else {
        anyhow::bail!("a recovered run goes on");
    };
    ensure!(refused::word(&error) == "final", "{error:?}");
    Ok(())
}

/// Housekeeping keeps the process of a failed task until its retry is claimed, and that a retry was taken over until a
/// day after its end.
fn sweep_keeps_what_resume_needs(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let process = "'00000000-0000-4000-8000-0000000000f8'";
    client.batch_execute(&format!(
        "SELECT FROM multica_enqueue_issue({}); INSERT INTO multica_runtime_incarnation VALUES ({}, {process}, now())",
        id("d1"),
        id("b1")
    ))?;
    let run = claim(&mut client, &format!(", {process}"))?;
    let kept = "SELECT t.attempt, i.incarnation IS NOT NULL, i.resumed_task_id IS NOT NULL
                FROM multica_task_incarnation AS i JOIN agent_task_queue AS t ON t.id = i.task_id ORDER BY 1";
    sleep(&mut client)?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    expect(&mut client, kept, "1 t f")?;
    expect(&mut client, &format!("SELECT status FROM {}", run.complete()), "completed")?;
    client.batch_execute("SELECT FROM multica_sweep()")?;
    expect(&mut client, kept, "2 t t")?;
    expect(&mut client, &format!("SELECT status, applied FROM {}", run.complete()), "completed f")?;
    client.batch_execute(
        "UPDATE agent_task_queue SET completed_at = completed_at - interval '25 hours' WHERE attempt = 2; SELECT FROM multica_sweep()",
    )?;
    expect(&mut client, kept, "")?;
    // From then on the failed task is returned.
    expect(&mut client, &format!("SELECT attempt, status, applied FROM {}", run.complete()), "1 failed f")
}

fn resume_sets_runtime_online_only_if_necessary(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    let runtime =
        format!("SELECT status, now() - last_seen_at < interval '1 minute' FROM agent_runtime WHERE id = {}", id("b1"));
    expect(&mut client, &runtime, "offline f")?;
    client.batch_execute(&format!("SELECT FROM {}", run.resume()))?;
    expect(&mut client, &runtime, "online t")?;
    let online =
        "SELECT count(*) FROM multica_event_log WHERE type = 'daemon:register' AND payload ->> 'action' = 'online'";
    expect(&mut client, online, "1")?;
    // A sweep does not fail it again.
    client.batch_execute("SELECT FROM multica_sweep()")?;
    expect(&mut client, STORY, "1 failed runtime_offline\n2 running ")?;
    let (_other, mut client, run) = asleep(context)?;
    client.batch_execute(&format!("SELECT FROM {}", run.heartbeat()))?;
    let seen = format!("SELECT last_seen_at FROM agent_runtime WHERE id = {}", id("b1"));
    let before = value(&mut client, &seen)?;
    client.batch_execute(&format!("SELECT FROM {}", run.resume()))?;
    expect(&mut client, &seen, &before)
}

/// An update of the extension adds no column; install does.
fn calls_work_before_install_adds_the_column(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    client.batch_execute("DROP TABLE multica_task_incarnation")?;
    expect(&mut client, &format!("SELECT resume_task_ids FROM {}", run.heartbeat()), "{}")?;
    expect(&mut client, &format!("SELECT attempt, status, applied FROM {}", run.complete()), "1 failed f")?;
    let fail =
        format!("SELECT attempt, status, applied FROM multica_fail({}, 'e', claim_token => {})", run.task, run.token);
    expect(&mut client, &fail, "1 failed f")?;
    let Err(error) = client.batch_execute(&format!("SELECT FROM {}", run.resume())) else {
        anyhow::bail!("resume works without its table");
    };
    ensure!(refused::word(&error) == "install_needed", "{error:?}");
    client.batch_execute("SELECT FROM multica_install()")?;
    expect(&mut client, &format!("SELECT attempt, status FROM {}", run.resume()), "2 running")
}

fn trigger_that_keeps_retry_is_named(context: &Context) -> Result<()> {
    let (_database, mut client, run) = asleep(context)?;
    client.batch_execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION keep()",
    )?;
    for call in [run.resume(), run.complete()] {
        let Err(error) = client.batch_execute(&format!("SELECT FROM {call}")) else { anyhow::bail!("{call} succeeds") };
        ensure!(refused::word(&error) == "row_kept_out", "{call}: {error:?}");
    }
    expect(&mut client, STORY, "1 failed runtime_offline\n2 queued ")
}
