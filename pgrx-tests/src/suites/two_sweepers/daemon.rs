//! A daemon of the server: its heartbeats, claims, starts and ends of tasks. At times it is silent, or restarts.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use uuid::Uuid;

use super::Session;
use super::sweeper::{fail, handle};
use super::tasks::{end, refresh_agent};

/// Queues the deferred tasks of the runtime $1 that are due, one per pair.
const PROMOTE: &str = "UPDATE agent_task_queue SET status = 'queued'
    WHERE status = 'deferred' AND id IN (
        SELECT DISTINCT ON (COALESCE(t.issue_id, t.id), t.agent_id) t.id
        FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
        WHERE t.runtime_id = $1 AND t.status = 'deferred' AND t.fire_at <= now()
          AND r.status = 'online' AND r.last_seen_at >= now() - interval '1 s'
          AND NOT EXISTS (
              SELECT FROM agent_task_queue AS o
              WHERE o.issue_id = t.issue_id AND o.agent_id = t.agent_id AND o.status IN ('queued', 'dispatched')
          )
        ORDER BY COALESCE(t.issue_id, t.id), t.agent_id, t.priority DESC, t.created_at, t.id
    )";

/// Delivers a task again whose daemon did not get it.
const RECLAIM: &str = "UPDATE agent_task_queue
    SET dispatched_at = now(), prepare_lease_expires_at = now() + interval '500 ms'
    WHERE id = (
        SELECT t.id FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
        WHERE t.runtime_id = $1 AND t.status = 'dispatched' AND t.started_at IS NULL
          AND t.dispatched_at < now() - interval '700 ms'
          AND (t.prepare_lease_expires_at IS NULL OR t.prepare_lease_expires_at < now())
          AND r.status = 'online' AND r.last_seen_at >= now() - interval '1 s'
        ORDER BY t.priority DESC, t.dispatched_at
        LIMIT 1
        FOR UPDATE OF t SKIP LOCKED
    )
    RETURNING id, dispatched_at::text";

/// The agents that have a queued task on the runtime.
const AGENTS: &str = "SELECT DISTINCT agent_id FROM agent_task_queue WHERE runtime_id = $1 AND status = 'queued'";

const LOCK_AGENT: &str = "SELECT max_concurrent_tasks FROM agent WHERE id = $1 FOR UPDATE";

const IN_FLIGHT: &str = "SELECT count(*) FROM agent_task_queue
    WHERE agent_id = $1 AND status IN ('dispatched', 'running', 'waiting_local_directory')";

/// Claims the best task of the agent $2 on the runtime $1 that has no other task of its issue or chat in flight.
const CLAIM: &str = "UPDATE agent_task_queue
    SET status = 'dispatched', dispatched_at = now(), prepare_lease_expires_at = now() + interval '500 ms'
    WHERE id = (
        SELECT t.id FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
        WHERE t.runtime_id = $1 AND t.agent_id = $2 AND t.status = 'queued'
          AND r.status = 'online' AND r.last_seen_at >= now() - interval '1 s'
          AND NOT EXISTS (
              SELECT FROM agent_task_queue AS o
              WHERE o.agent_id = t.agent_id AND o.status IN ('dispatched', 'running', 'waiting_local_directory')
                AND (o.issue_id = t.issue_id OR o.chat_session_id = t.chat_session_id)
          )
        ORDER BY t.priority DESC, t.created_at
        LIMIT 1
        FOR UPDATE OF t SKIP LOCKED
    )
    RETURNING id, dispatched_at::text";

/// Stores the token of a claim, if nothing has changed since: the last step before the daemon gets the task $1.
const GIVE_TOKEN: &str = "INSERT INTO task_token (token_hash, task_id, agent_id, workspace_id, user_id, expires_at)
    SELECT gen_random_uuid()::text, t.id, t.agent_id, r.workspace_id, r.owner_id, now() + interval '1 day'
    FROM agent_task_queue AS t JOIN agent_runtime AS r ON r.id = t.runtime_id
    WHERE t.id = $1 AND t.status = 'dispatched' AND t.started_at IS NULL AND t.dispatched_at = $2::text::timestamptz";

const EXTEND: &str = "UPDATE agent_task_queue SET prepare_lease_expires_at = now() + interval '500 ms'
    WHERE id = $1 AND started_at IS NULL AND status IN ('dispatched', 'waiting_local_directory')";

const WAIT: &str = "UPDATE agent_task_queue
    SET status = 'waiting_local_directory', wait_reason = 'busy', prepare_lease_expires_at = now() + interval '500 ms'
    WHERE id = $1 AND status = 'dispatched'";

const START: &str = "UPDATE agent_task_queue
    SET status = 'running', started_at = now(), wait_reason = NULL, prepare_lease_expires_at = NULL
    WHERE id = $1 AND status IN ('dispatched', 'waiting_local_directory')
    RETURNING issue_id";

/// What the agent itself does to its issue.
const SET_ISSUE: &str = "UPDATE issue
    SET status = $2, revision = revision + 1, updated_at = now(), last_activity_at = now() WHERE id = $1 AND status <> $2";

const COMPLETE: &str = "UPDATE agent_task_queue
    SET status = 'completed', completed_at = now(), result = '{}', session_id = 'session', prepare_lease_expires_at = NULL
    WHERE id = $1 AND status = 'running'
    RETURNING issue_id";

/// Fails the task $1 for this reason.
fn failing(reason: &str) -> String {
    format!(
        "UPDATE agent_task_queue
         SET status = 'failed', completed_at = now(), error = 'error', failure_reason = '{reason}', prepare_lease_expires_at = NULL
         WHERE id = $1 AND status IN ('dispatched', 'running', 'waiting_local_directory')
         RETURNING issue_id"
    )
}

/// The reasons that daemons report.
const REASONS: [&str; 5] = [
    "timeout",
    "agent_error.provider_network",
    "codex_semantic_inactivity",
    "agent_error.unknown",
    "api_invalid_request",
];

/// A task in flight with this daemon.
struct Held {
    task: Uuid,
    is_started: bool,
}

/// A machine and the tasks of its daemon.
struct Machine {
    number: usize,
    held: Vec<Held>,
    seen: Option<Instant>,
}

/// Works until the end.
pub fn work(session: &mut Session, number: usize) -> Result<()> {
    let mut machine = Machine { number, held: Vec::new(), seen: None };
    while !session.load.is_over() {
        if session.chance(3) {
            machine.leave(session)?;
        }
        machine.heartbeat(session)?;
        machine.claim(session)?;
        machine.proceed(session)?;
        session.pause(40);
    }
    Ok(())
}

impl Machine {
    fn runtime(&self) -> String {
        format!("md5('runtime {}')::uuid", self.number)
    }

    /// Is silent for a while, mostly until its runtime is offline or its tasks have failed. Afterwards a new process
    /// recovers what the former one had, by the extension or by the server, or the same process goes on.
    fn leave(&mut self, session: &mut Session) -> Result<()> {
        session.pause(5000);
        let runtime = self.runtime();
        match session.rng.u32(0..4) {
            0 => return Ok(()),
            1 => session.call(&format!("SELECT FROM multica_recover_orphans({runtime})"))?,
            2 => session.call(&format!(
                "SELECT FROM multica_register(md5('workspace')::uuid, '{{\"daemon_id\": \"machine-{}\", \"recover\": true,
                     \"runtimes\": [{{\"type\": \"claude\"}}]}}')",
                self.number
            ))?,
            _ => {
                let recover = format!(
                    "UPDATE agent_task_queue
                     SET status = 'failed', completed_at = now(), error = 'daemon restarted while task was in flight',
                         failure_reason = 'runtime_recovery', wait_reason = NULL, prepare_lease_expires_at = NULL,
                         handoff_note = 'failed by the sweeper'
                     WHERE runtime_id = {runtime} AND status IN ('dispatched', 'running', 'waiting_local_directory')
                     RETURNING id"
                );
                let failed = fail(session, &recover)?;
                handle(session, &failed)?;
            }
        }
        self.held.clear();
        Ok(())
    }

    fn heartbeat(&mut self, session: &mut Session) -> Result<()> {
        if self.seen.is_some_and(|seen| seen.elapsed() < Duration::from_millis(200)) {
            return Ok(());
        }
        let runtime = self.runtime();
        if session.chance(50) {
            session.call(&format!("SELECT FROM multica_heartbeat({runtime})"))?;
        } else {
            let touch =
                format!("UPDATE agent_runtime SET last_seen_at = now() WHERE id = {runtime} AND status = 'online'");
            if session.client.execute(&touch, &[])? == 0 {
                session.client.execute(
                    &format!(
                        "UPDATE agent_runtime SET status = 'online', last_seen_at = now(), updated_at = now() WHERE id = {runtime}"
                    ),
                    &[],
                )?;
            }
        }
        self.seen = Some(Instant::now());
        Ok(())
    }

    /// Polls: queues what is due, delivers one task again, and claims one task per agent.
    fn claim(&mut self, session: &mut Session) -> Result<()> {
        let runtime: Uuid = session.client.query_one(&format!("SELECT {}", self.runtime()), &[])?.get(0);
        session.client.execute(PROMOTE, &[&runtime]).context("promotion of the server")?;
        let mut claimed = session.client.query(RECLAIM, &[&runtime]).context("redelivery of the server")?;
        for row in session.client.query(AGENTS, &[&runtime])? {
            let agent: Uuid = row.get(0);
            let mut transaction = session.client.transaction()?;
            let most: i32 = transaction.query_one(LOCK_AGENT, &[&agent])?.get(0);
            let in_flight: i64 = transaction.query_one(IN_FLIGHT, &[&agent])?.get(0);
            if in_flight < i64::from(most) {
                claimed.extend(transaction.query(CLAIM, &[&runtime, &agent]).context("claim of the server")?);
            }
            transaction.commit()?;
        }
        for row in claimed {
            let (task, dispatched_at): (Uuid, String) = (row.get(0), row.get(1));
            refresh_agent(&mut session.client, task)?;
            // The answer is lost on its way at times.
            let is_given = session.client.execute(GIVE_TOKEN, &[&task, &dispatched_at])? > 0;
            self.held.retain(|held| held.task != task);
            if is_given && !session.chance(20) {
                self.held.push(Held { task, is_started: false });
            }
        }
        Ok(())
    }

    /// Goes on with each task: prepares, starts, runs or ends it.
    fn proceed(&mut self, session: &mut Session) -> Result<()> {
        let mut kept = Vec::new();
        for mut held in std::mem::take(&mut self.held) {
            let goes_on = match held.is_started {
                false => self.prepare(session, &mut held)?,
                true => self.run(session, &held)?,
            };
            if goes_on {
                kept.push(held);
            }
        }
        self.held = kept;
        Ok(())
    }

    fn prepare(&self, session: &mut Session, held: &mut Held) -> Result<bool> {
        match session.rng.u32(0..10) {
            0..=2 => Ok(session.client.execute(EXTEND, &[&held.task])? > 0),
            3 => {
                session.client.execute(WAIT, &[&held.task])?;
                Ok(true)
            }
            _ => {
                let Some(row) = session.client.query_opt(START, &[&held.task])? else { return Ok(false) };
                refresh_agent(&mut session.client, held.task)?;
                if let Some(issue) = row.get::<_, Option<Uuid>>(0) {
                    session.client.execute(SET_ISSUE, &[&issue, &"in_progress"])?;
                }
                held.is_started = true;
                Ok(true)
            }
        }
    }

    fn run(&self, session: &mut Session, held: &Held) -> Result<bool> {
        match session.rng.u32(0..20) {
            0..=1 => {
                let issue: Option<Uuid> = session
                    .client
                    .query_one("SELECT issue_id FROM agent_task_queue WHERE id = $1", &[&held.task])?
                    .get(0);
                if let Some(issue) = issue {
                    session.client.execute(SET_ISSUE, &[&issue, &"in_review"])?;
                }
                end(session, held.task, COMPLETE, false).context("completion of the server")?;
                Ok(false)
            }
            2..=3 => {
                let reason = REASONS[session.rng.usize(0..REASONS.len())];
                end(session, held.task, &failing(reason), true).context("failure of the server")?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }
}
