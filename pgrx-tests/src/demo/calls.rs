//! The calls that a daemon makes.

use anyhow::Result;
use postgres::error::SqlState;
use postgres::{Client, NoTls};
use serde_json::{Value, json};
use uuid::Uuid;

use super::identity::Identity;
use crate::cluster::{PORT, SUPERUSER};

/// A daemon's connection to the database, and what it has to pass with its calls.
pub struct Calls {
    client: Client,
    runtime: Uuid,
    incarnation: Uuid,
}

/// A task that was claimed.
pub struct Claim {
    /// Its id.
    pub task: Uuid,
    /// The token of the claim.
    pub token: i64,
    /// The session that its agent resumes.
    pub session: Option<String>,
    /// Its issue, and the number of its steps.
    pub context: Value,
    /// The number of the attempt.
    pub attempt: i32,
}

impl Calls {
    /// Connects, and registers the runtime for this process.
    pub fn register(identity: &Identity) -> Result<Calls> {
        let (mut client, incarnation) = (connect(identity)?, Uuid::new_v4());
        let register = "SELECT id FROM multica_register($1, $2)";
        let registration = identity.registration(incarnation);
        let runtime = client.query_one(register, &[&identity.workspace, &registration])?.get(0);
        Ok(Calls { client, runtime, incarnation })
    }

    /// Connects again, without a registration.
    pub fn reconnect(identity: &Identity, runtime: Uuid, incarnation: Uuid) -> Result<Calls> {
        Ok(Calls { client: connect(identity)?, runtime, incarnation })
    }

    /// The runtime, and the incarnation of this process.
    pub fn identity(&self) -> (Uuid, Uuid) {
        (self.runtime, self.incarnation)
    }

    /// Returns the tasks to stop, and those of them with which the daemon can go on.
    pub fn heartbeat(&mut self, running: &[Uuid]) -> Result<(Vec<Uuid>, Vec<Uuid>)> {
        let heartbeat = "SELECT stop_task_ids, resume_task_ids FROM multica_heartbeat($1, $2, $3)";
        let row = self.client.query_one(heartbeat, &[&self.runtime, &running, &self.incarnation])?;
        Ok((row.get(0), row.get(1)))
    }

    /// Claims at most this many tasks.
    pub fn claim(&mut self, places: i32) -> Result<Vec<Claim>> {
        let claim = "SELECT id, claim_token, prior_session_id, context, attempt FROM multica_claim($1, $2, $3)";
        let rows = self.client.query(claim, &[&self.runtime, &places, &self.incarnation])?;
        let read = |row: &postgres::Row| Claim {
            task: row.get(0),
            token: row.get(1),
            session: row.get(2),
            context: row.get(3),
            attempt: row.get(4),
        };
        Ok(rows.iter().map(read).collect())
    }

    /// Stores where the session of a claimed task is, then starts the task. Returns whether the daemon may work on it.
    /// In this order the pin is no sign of life of the run, so `multica.idle_timeout` is only for daemons that report
    /// progress.
    pub fn start(&mut self, claim: &Claim, session: &str, folder: &str) -> Result<bool> {
        let pin = "SELECT multica_pin_session($1, $2, $3, $4)";
        let pinned = self.client.query_one(pin, &[&claim.task, &session, &folder, &claim.token]);
        if !unless_refused(pinned)?.is_some_and(|row| row.get(0)) {
            return Ok(false);
        }
        let start = "SELECT FROM multica_start($1, $2)";
        Ok(unless_refused(self.client.query_one(start, &[&claim.task, &claim.token]))?.is_some())
    }

    /// Reports which step of a task was done. If this is refused, the next heartbeat returns the task as one to stop.
    pub fn progress(&mut self, task: Uuid, token: i64, step: usize, of: usize) -> Result<()> {
        let progress = "SELECT FROM multica_progress($1, $2, $3)";
        let object = json!({ "step": step, "of": of });
        unless_refused(self.client.query_one(progress, &[&task, &token, &object]))?;
        Ok(())
    }

    /// Takes over the retry of a failed task; returns its id, its token and its attempt. A call that meets another session
    /// at the rows of the task is repeated.
    pub fn resume(&mut self, task: Uuid, token: i64) -> Result<Option<(Uuid, i64, i32)>> {
        let resume = "SELECT id, claim_token, attempt FROM multica_resume($1, $2)";
        loop {
            match self.client.query_one(resume, &[&task, &token]) {
                Err(error) if error.code() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {}
                result => return Ok(unless_refused(result)?.map(|row| (row.get(0), row.get(1), row.get(2)))),
            }
        }
    }

    /// Writes the result, the status of the issue and a comment in one transaction. Returns whether the result
    /// was kept.
    pub fn complete(&mut self, task: Uuid, token: i64, steps: usize, session: &str) -> Result<bool> {
        let mut transaction = self.client.transaction()?;
        let complete = "SELECT issue_id FROM multica_complete($1, $2, claim_token => $3, issue_status => 'done')
                        WHERE applied";
        let completed = transaction.query_opt(complete, &[&task, &json!({ "steps": steps }), &token]);
        let Some(row) = unless_refused(completed)?.flatten() else { return Ok(false) };
        let comment = "INSERT INTO comment (issue_id, workspace_id, author_type, author_id, content)
                       SELECT id, workspace_id, 'agent', assignee_id, $2 FROM issue WHERE id = $1";
        let content = format!("Done, in {session}.");
        transaction.execute(comment, &[&row.get::<_, Uuid>(0), &content])?;
        transaction.commit()?;
        Ok(true)
    }
}

fn connect(identity: &Identity) -> Result<Client> {
    let mut config = postgres::Config::new();
    config.host_path(&identity.host).port(PORT).user(SUPERUSER).dbname(&identity.database);
    config.application_name(&format!("daemon {}", identity.daemon_id));
    Ok(config.connect(NoTls)?)
}

/// Returns the value of a call, or None if the task was failed, cancelled or claimed again meanwhile. Then this daemon
/// must do nothing for the task.
fn unless_refused<T>(result: Result<T, postgres::Error>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
