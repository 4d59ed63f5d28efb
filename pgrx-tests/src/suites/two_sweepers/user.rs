//! A user of the server: they queue tasks of issues and turns of chats, cancel tasks, and move issues.

use anyhow::{Context as _, Result};
use uuid::Uuid;

use super::tasks::{IS_RETRYABLE, end};
use super::{Session, USERS};

/// Queues the next task of an issue whose work has ended: no task is active, and no retry is missing. Each user has
/// issues of their own, so that two users never queue a task of one issue at the same time.
fn enqueue(number: usize) -> String {
    format!(
        "INSERT INTO agent_task_queue (
             agent_id, runtime_id, issue_id, priority, max_attempts, originator_user_id, accountable_user_id
         )
         SELECT a.id, a.runtime_id, i.id, 1, 3, i.creator_id, i.creator_id
         FROM (
             SELECT i.* FROM issue AS i
             WHERE i.number % {USERS} = {number}
               AND NOT EXISTS (
                   SELECT FROM agent_task_queue AS p
                   WHERE p.issue_id = i.id
                     AND (
                         p.status NOT IN ('completed', 'failed', 'cancelled')
                         OR (
                             p.status = 'failed' AND {IS_RETRYABLE}
                             AND NOT EXISTS (SELECT FROM agent_task_queue AS c WHERE c.parent_task_id = p.id)
                         )
                     )
               )
             ORDER BY random()
             LIMIT 1
         ) AS i
         JOIN agent AS a ON a.id = i.assignee_id
         WHERE lock_task_owner_rows(a.id, i.id, a.runtime_id)"
    )
}

const CANCEL: &str =
    "UPDATE agent_task_queue SET status = 'cancelled', completed_at = now(), prepare_lease_expires_at = NULL
    WHERE id = $1 AND status IN ('queued', 'dispatched', 'running', 'waiting_local_directory', 'deferred')
    RETURNING id";

/// Acts until the end.
pub fn work(session: &mut Session, number: usize) -> Result<()> {
    while !session.load.is_over() {
        match session.rng.u32(0..60) {
            0..=33 => {
                session.client.execute(&enqueue(number), &[]).context("enqueue of the server")?;
            }
            34..=55 => send(session).context("chat of the server")?,
            56 => {
                let open = "SELECT id FROM agent_task_queue WHERE status NOT IN ('completed', 'failed', 'cancelled')
                            ORDER BY random() LIMIT 1";
                if let Some(row) = session.client.query_opt(open, &[])? {
                    end(session, row.get(0), CANCEL, false).context("cancellation of the server")?;
                }
            }
            _ => {
                session.client.execute(
                    "UPDATE issue SET status = 'in_review', revision = revision + 1, updated_at = now()
                     WHERE id = (SELECT id FROM issue WHERE status = 'in_progress' ORDER BY random() LIMIT 1)",
                    &[],
                )?;
            }
        }
        session.pause(10);
    }
    Ok(())
}

/// Sends a message to a chat, unless two turns wait there. The server locks the chat session before the agent.
fn send(session: &mut Session) -> Result<()> {
    let chat = format!("md5('chat {}')::uuid", session.rng.u32(0..16));
    let mut transaction = session.client.transaction()?;
    let agent: Uuid =
        transaction.query_one(&format!("SELECT agent_id FROM chat_session WHERE id = {chat} FOR UPDATE"), &[])?.get(0);
    let runtime: Uuid =
        transaction.query_one("SELECT runtime_id FROM agent WHERE id = $1 FOR UPDATE", &[&agent])?.get(0);
    transaction.execute(
        &format!(
            "INSERT INTO agent_task_queue (
                 id, agent_id, runtime_id, chat_session_id, chat_input_task_id, priority, originator_user_id, accountable_user_id
             )
             SELECT n.id, $1, $2, {chat}, n.id, 2, md5('user')::uuid, md5('user')::uuid
             FROM (SELECT gen_random_uuid() AS id) AS n
             WHERE 2 > (
                 SELECT count(*) FROM agent_task_queue AS o
                 WHERE o.chat_session_id = {chat} AND o.status NOT IN ('completed', 'failed', 'cancelled')
             )"
        ),
        &[&agent, &runtime],
    )?;
    Ok(transaction.commit()?)
}
