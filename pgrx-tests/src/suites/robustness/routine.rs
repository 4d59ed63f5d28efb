//! Every routine of the extension, read from the catalogue, with valid arguments and with functions that call it.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::{Client, GenericClient, SimpleQueryMessage, SimpleQueryRow};

use crate::context::Context;
use crate::database::Database;
use crate::suites::support;

/// The SQLSTATEs of the extension's own errors.
pub const OWN: [&str; 7] = ["22004", "22023", "P0002", "55000", "55006", "0A000", "42501"];
/// SQLSTATEs that Postgres itself raises for invalid arguments: out of range, unknown role, malformed JSON, a missing
/// or duplicate key, an index entry or a nesting that is too large.
pub const OF_POSTGRES: [&str; 12] =
    ["22003", "22008", "22P02", "22P05", "23502", "23503", "23505", "23514", "42602", "42704", "54000", "54001"];

/// One routine.
pub struct Routine {
    /// Its name.
    pub name: String,
    /// Whether it is a procedure, which is called outside a transaction.
    pub is_procedure: bool,
    /// Whether it may return NULL or no row.
    pub may_return_nothing: bool,
    /// Its arguments, in order.
    pub arguments: Vec<Argument>,
}

/// One argument.
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// A valid expression.
    pub valid: String,
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this many rows, of which this many were entirely NULL.
    Rows(i64, i64),
    /// It raised an error: SQLSTATE and message.
    Raised(String, String),
}

/// A database with the fixtures `team` and `robustness/world`.
pub fn world(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, client) = support::team(context)?;
    database.fixture("robustness/world")?;
    Ok((database, client))
}

/// Returns every routine with valid arguments. An argument without a value in the fixture `robustness/valid` is an
/// error.
pub fn routines(context: &Context, client: &mut Client) -> Result<Vec<Routine>> {
    let valid: HashMap<(String, String), Option<String>> = client
        .query(&support::text(context, "robustness/valid")?, &[])?
        .iter()
        .map(|row| ((row.get(0), row.get(1)), row.get(2)))
        .collect();
    let rows = client.query(
        "SELECT p.proname::text, p.prokind = 'p', p.proretset OR p.prorettype = 'void'::regtype,
             COALESCE(p.proargnames[1:p.pronargs], '{}'),
             ARRAY(SELECT format_type(a.type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, at) ORDER BY a.at)
         FROM pg_depend AS d
         JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
         JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
         WHERE e.extname = 'multica'
         ORDER BY p.prokind = 'p', p.proname",
        &[],
    )?;
    ensure!(rows.len() > 50, "the extension has {} routines", rows.len());
    let routine = |row: &postgres::Row| -> Result<Routine> {
        let name: String = row.get(0);
        let (names, kinds): (Vec<String>, Vec<String>) = (row.get(3), row.get(4));
        let arguments = names
            .into_iter()
            .zip(kinds)
            .map(|(argument, kind)| {
                let valid = [name.as_str(), ""]
                    .iter()
                    .find_map(|of| valid.get(&(of.to_string(), argument.clone())))
                    .with_context(|| {
                        format!("{name}: add a valid value for {argument} {kind} to fixtures/robustness/valid.sql")
                    })?;
                let quoted = |value: &String| format!("'{}'", value.replace('\'', "''"));
                Ok(Argument { name: argument, kind, valid: valid.as_ref().map_or("NULL".into(), quoted) })
            })
            .collect::<Result<_>>()?;
        Ok(Routine { name, is_procedure: row.get(1), may_return_nothing: row.get(2), arguments })
    };
    rows.iter().map(routine).collect()
}

impl Routine {
    /// Returns a call. `choose` returns the expression for an argument, or None for its valid expression.
    pub fn call(&self, choose: impl Fn(&Argument) -> Option<String>) -> String {
        let arguments: Vec<String> = self
            .arguments
            .iter()
            .map(|argument| match choose(argument) {
                Some(expression) => format!("{} => CAST({expression} AS {})", argument.name, argument.kind),
                None => format!("{} => {}", argument.name, argument.valid),
            })
            .collect();
        let call = format!("public.{}({})", self.name, arguments.join(", "));
        if self.is_procedure {
            format!("CALL {call}")
        } else {
            format!("SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE x IS NULL) FROM {call} AS x")
        }
    }

    /// Returns a call with valid arguments only.
    pub fn sensible(&self) -> String {
        self.call(|_| None)
    }

    /// Makes a call and returns its outcome.
    pub fn outcome(&self, client: &mut impl GenericClient, call: &str) -> Result<Outcome> {
        Ok(answer(client, call)?.0)
    }

    /// Fails if an outcome is neither a result nor an error that a caller can handle.
    pub fn check(&self, call: &str, outcome: &Outcome) -> Result<()> {
        match outcome {
            Outcome::Rows(rows, null) => ensure!(
                // NULL has nothing to be cleaned.
                (*null == 0 || self.name == "multica_clean")
                    && (*rows == 1 || self.may_return_nothing || self.is_procedure),
                "{call}\nreturns {rows} rows, {null} of them NULL"
            ),
            Outcome::Raised(code, message) => {
                let known = OWN.contains(&code.as_str()) || OF_POSTGRES.contains(&code.as_str());
                ensure!(known, "{call}\nraises {code}: {message}");
                ensure!(message.len() < 2000, "{call}\nraises a message of {} bytes", message.len());
            }
        }
        Ok(())
    }
}

/// Sends a script with one call in it, and returns the outcome of that call. Fails if the session ended, because then
/// the server has crashed.
pub fn answer(client: &mut impl GenericClient, script: &str) -> Result<(Outcome, Vec<SimpleQueryMessage>)> {
    let messages = match client.simple_query(script) {
        Ok(messages) => messages,
        Err(error) => {
            let error = error.as_db_error().with_context(|| format!("{script}\nended the session: {error:?}"))?;
            let (code, message) = (error.code().code(), error.message());
            let outcome = Outcome::Raised(code.to_string(), message.to_string());
            return Ok((outcome, Vec::new()));
        }
    };
    let count = |row: &SimpleQueryRow, at: usize| -> Result<i64> { Ok(row.get(at).unwrap_or_default().parse()?) };
    let outcome = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.len() == 2 => {
            Some(count(row, 0).and_then(|rows| Ok(Outcome::Rows(rows, count(row, 1)?))))
        }
        _ => None,
    });
    Ok((outcome.unwrap_or(Ok(Outcome::Rows(0, 0)))?, messages))
}

/// Runs `work` in a transaction that is rolled back.
pub fn undone<R>(client: &mut Client, work: impl FnOnce(&mut postgres::Transaction) -> Result<R>) -> Result<R> {
    let mut transaction = client.transaction()?;
    let result = work(&mut transaction);
    transaction.rollback()?;
    result
}

/// Fails unless each call with valid arguments succeeds: otherwise an invalid argument would not be the reason of an
/// error.
pub fn sensible_calls_succeed(client: &mut Client, routines: &[Routine]) -> Result<()> {
    for routine in routines.iter().filter(|routine| !routine.is_procedure) {
        let call = routine.sensible();
        let outcome = undone(client, |transaction| routine.outcome(transaction, &call))?;
        if !matches!(outcome, Outcome::Rows(..)) {
            bail!("{call}\nwith valid arguments: {outcome:?}");
        }
    }
    Ok(())
}
