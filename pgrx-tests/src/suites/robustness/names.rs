//! Objects with the names that the extension uses, in a schema at the start of search_path and among the temporary
//! objects.

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, GenericClient};

use super::routine::{Outcome, Routine, routines, undone, world};
use crate::context::Context;
use crate::database::Database;
use crate::suites::support::text;

/// The search_path of an attack: first the shadowing objects, then the temporary objects, then the intended objects.
const PATH: &str = "SET search_path = trap, pg_temp, public, pg_catalog";
/// Counts calls of a routine, and of functions in schema `trap`, in this transaction.
const CALLS: &str = "
    SELECT COALESCE(sum(f.calls) FILTER (WHERE f.schemaname = 'public' AND f.funcname = $1), 0)::bigint,
        COALESCE(sum(f.calls) FILTER (WHERE f.schemaname = 'trap'), 0)::bigint
    FROM pg_stat_xact_user_functions AS f";
/// Counts the same calls since the server's start.
const ALL_CALLS: &str = "
    SELECT COALESCE(sum(f.calls) FILTER (WHERE f.schemaname = 'public' AND f.funcname = $1), 0)::bigint,
        COALESCE(sum(f.calls) FILTER (WHERE f.schemaname = 'trap'), 0)::bigint
    FROM pg_stat_user_functions AS f";

/// Every routine has the same result as without the shadowing objects, and no function in schema `trap` is called.
pub fn shadowing_objects_are_never_used(context: &Context) -> Result<()> {
    let (database, mut client) = world(context)?;
    let routines = routines(context, &mut client)?;
    let (functions, procedures): (Vec<Routine>, Vec<Routine>) =
        routines.into_iter().partition(|routine| !routine.is_procedure);
    let before = functions
        .iter()
        .map(|routine| {
            let call = routine.sensible();
            undone(&mut client, |transaction| routine.outcome(transaction, &call))
        })
        .collect::<Result<Vec<Outcome>>>()?;
    database.fixture("robustness/names")?;
    let mut client = attacked(context, &database)?;
    let mut without_temporary = database.connect()?;
    without_temporary.batch_execute("SET track_functions = 'all'")?;
    for (routine, before) in functions.iter().zip(before) {
        let call = routine.sensible();
        // Install creates temporary tables with these names, so in a session that already has such tables it raises
        // 42P07.
        let session = match routine.name.as_str() {
            "multica_install" => &mut without_temporary,
            _ => &mut client,
        };
        let after = undone(session, |transaction| {
            transaction.batch_execute(PATH)?;
            let after = routine.outcome(transaction, &call)?;
            if matches!(after, Outcome::Rows(..)) {
                was_called(transaction, CALLS, routine)?;
            }
            Ok(after)
        })?;
        ensure!(after == before, "{call}\nreturns {after:?}, not {before:?}");
    }
    for routine in &procedures {
        let session = match routine.name.as_str() {
            "multica_install_all" => &mut without_temporary,
            _ => &mut client,
        };
        session.batch_execute(PATH)?;
        let call = routine.sensible();
        let outcome = routine.outcome(session, &call)?;
        ensure!(matches!(outcome, Outcome::Rows(..)), "{call}\n{outcome:?}");
        session.batch_execute("SET search_path = pg_catalog, pg_temp; SELECT pg_stat_force_next_flush()")?;
        was_called(session, ALL_CALLS, routine)?;
    }
    Ok(())
}

/// Adds shadowing temporary objects to a session too. Code that does not set search_path calls them and fails.
fn attacked(context: &Context, database: &Database) -> Result<Client> {
    let mut client = database.connect()?;
    client.batch_execute(&text(context, "robustness/temporary_names")?)?;
    client.batch_execute("SET track_functions = 'all'")?;
    for caught in [
        "SELECT now()",
        "SELECT 1 = 1",
        "SELECT '00000000-0000-4000-8000-000000000000'::uuid",
        "SELECT FROM multica_status()",
    ] {
        let sql = format!("BEGIN; {PATH}; {caught}");
        let error = client.batch_execute(&sql).expect_err("the statement did not use the shadowing objects");
        client.batch_execute("ROLLBACK")?;
        let message = error.as_db_error().context("no error of the server")?;
        ensure!(message.message().starts_with("sprung"), "{caught}: {message}");
    }
    Ok(client)
}

/// The query on the counters must not use the shadowing objects itself.
fn was_called(client: &mut impl GenericClient, calls: &str, routine: &Routine) -> Result<()> {
    client.batch_execute("SET search_path = pg_catalog, pg_temp")?;
    let row = client.query_one(calls, &[&routine.name])?;
    let (of_routine, of_trap): (i64, i64) = (row.get(0), row.get(1));
    ensure!(of_routine > 0, "{} was not called", routine.name);
    ensure!(of_trap == 0, "{}: {of_trap} calls of the trap", routine.name);
    Ok(())
}
