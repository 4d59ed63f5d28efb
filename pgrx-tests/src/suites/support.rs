//! What several suites use: queries of fixtures, calls in separate database sessions, and waiting for such calls.

use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::error::SqlState;
use postgres::{Client, GenericClient, SimpleQueryMessage};

use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;
pub use crate::query::values;

/// Longest wait for something that is expected to happen, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The functions of an administrator, who installs the tables and grants capabilities. They run with the privileges of
/// their caller.
pub const OF_ADMINISTRATORS: [&str; 4] = ["multica_grant", "multica_install", "multica_install_all", "multica_revoke"];

/// The advisory lock on which the triggers of the fixture `stop` wait.
const STOP: i64 = 4711;

/// Returns the text of `fixtures/<name>.sql`.
pub fn text(context: &Context, name: &str) -> Result<String> {
    let file = context.fixtures().join(format!("{name}.sql"));
    std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Returns a number from the environment, for example a seed, or a default.
pub fn number(variable: &str, otherwise: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(given) => given.parse().with_context(|| format!("{variable} is a number")),
        Err(_) => Ok(otherwise),
    }
}

/// Returns the lines that the query of a fixture returns.
pub fn lines(context: &Context, database: &Database, name: &str) -> Result<Vec<String>> {
    let query = text(context, name)?;
    let rows = database
        .connect()?
        .query(query.trim_end().trim_end_matches(';'), &[])
        .with_context(|| format!("fixture {name}"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns every row of every table at one moment. Two such texts are equal if nothing has changed between them.
pub fn digest(context: &Context, database: &Database) -> Result<Vec<String>> {
    let query = lines(context, database, "digest")?.join(" UNION ALL ");
    values(&mut database.connect()?, &query)
}

/// Compares the rows of the fleet, as the fixture `story` lists them, with the expected lines.
pub fn expect_story(context: &Context, database: &Database, expected: &str) -> Result<()> {
    let found = lines(context, database, "story")?;
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let missing: Vec<&&str> = expected.iter().filter(|line| !found.contains(&line.to_string())).collect();
    let surplus: Vec<&String> = found.iter().filter(|line| !expected.contains(&line.as_str())).collect();
    ensure!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}, found instead {surplus:#?}");
    Ok(())
}

/// Returns the first row, as psql prints it; empty for NULL.
pub fn value(client: &mut Client, sql: &str) -> Result<String> {
    Ok(values(client, sql)?.into_iter().next().unwrap_or_default())
}

/// Fails unless a query returns this text.
pub fn expect(client: &mut Client, sql: &str, expected: &str) -> Result<()> {
    let found = values(client, sql)?.join("\n");
    ensure!(found == expected, "{sql}\nreturns {found:?}, not {expected:?}");
    Ok(())
}

/// Fails unless a statement fails with this SQLSTATE.
pub fn expect_state(client: &mut Client, sql: &str, state: &str) -> Result<()> {
    match client.batch_execute(sql) {
        Ok(()) => bail!("{sql}\nsucceeds, but should fail with {state}"),
        Err(error) => {
            let found = error.code().map_or("none", |code| code.code());
            ensure!(found == state, "{sql}\nfails with {found}, not {state}: {error:?}");
            Ok(())
        }
    }
}

/// A statement that runs in a separate database session.
pub struct Running {
    /// Process id of its backend.
    pub pid: i32,
    thread: JoinHandle<std::result::Result<Vec<SimpleQueryMessage>, postgres::Error>>,
}

/// Starts a statement in a separate database session.
pub fn start(database: &Database, sql: &str) -> Result<Running> {
    let mut client = database.connect()?;
    let pid = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let sql = sql.to_string();
    let thread = std::thread::spawn(move || client.simple_query(&sql));
    Ok(Running { pid, thread })
}

impl Running {
    /// Waits until the statement waits for a lock.
    pub fn wait_until_blocked(&self, observer: &mut Client) -> Result<()> {
        Cluster::wait_until("the statement waits for a lock", LIMIT, || {
            if self.thread.is_finished() {
                bail!("the statement ended without waiting for a lock");
            }
            let sql = "SELECT FROM pg_locks WHERE pid = $1 AND NOT granted";
            Ok(!observer.query(sql, &[&self.pid])?.is_empty())
        })
    }

    /// Waits for the end of the statement.
    pub fn finish(self) -> std::result::Result<Vec<SimpleQueryMessage>, postgres::Error> {
        self.thread.join().expect("the session's thread does not panic")
    }

    /// Waits for the end of the statement, which must be an error with this SQLSTATE.
    pub fn finish_with_state(self, state: &str) -> Result<()> {
        match self.finish() {
            Ok(_) => bail!("the statement succeeded, but should fail with {state}"),
            Err(error) => {
                let found = error.code().map_or("none", |code| code.code());
                ensure!(found == state, "fails with {found}, not {state}: {error:?}");
                Ok(())
            }
        }
    }
}

/// A database session that blocks every session which fires a trigger of the fixture `stop`, until it is dropped.
pub fn hold_stop(database: &Database) -> Result<Client> {
    let mut holder = database.connect()?;
    holder.query("SELECT pg_advisory_lock($1)", &[&STOP])?;
    Ok(holder)
}

/// Ends a short statement_timeout. The timeout also applies to the statement that ends it, so that statement is
/// repeated if it is cancelled.
pub fn end_timeout(client: &mut impl GenericClient, sql: &str) -> Result<()> {
    loop {
        match client.batch_execute(sql) {
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// Terminates a backend and waits until it is gone.
pub fn terminate(observer: &mut Client, pid: i32) -> Result<()> {
    observer.query("SELECT pg_terminate_backend($1)", &[&pid])?;
    Cluster::wait_until("the backend is gone", LIMIT, || {
        let sql = "SELECT FROM pg_stat_activity WHERE pid = $1";
        Ok(observer.query(sql, &[&pid])?.is_empty())
    })
}

/// Returns an id of the fixtures as an SQL literal, from its last two digits.
pub fn id(label: &str) -> String {
    format!("'00000000-0000-4000-8000-0000000000{label}'")
}

/// Returns a database with the fixture `dead_machine`, and a database session in it.
pub fn dead_machine(context: &Context) -> Result<(Database<'_>, Client)> {
    let database = context.fresh_database()?;
    database.fixture("dead_machine")?;
    let client = database.connect()?;
    Ok((database, client))
}

/// Returns a database with the fixture `team`, and a database session in it.
pub fn team(context: &Context) -> Result<(Database<'_>, Client)> {
    let database = context.fresh_database()?;
    database.fixture("team")?;
    let client = database.connect()?;
    Ok((database, client))
}
