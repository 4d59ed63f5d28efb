//! Invalid rows, which exist if adopted tables lack a constraint, or after a manual change.

use anyhow::{Result, ensure};

use super::routine::{OF_POSTGRES, OWN, routines, undone, world};
use crate::context::Context;
use crate::suites::support::{OF_ADMINISTRATORS, expect, text, values};

/// The SQLSTATE by which the fixture rolls back a call that succeeded.
const ROLLED_BACK: &str = "09000";

/// Sets each column of each table to each unusual value, in every row. Every routine must then succeed or raise an
/// expected error.
pub fn no_row_causes_internal_error(context: &Context) -> Result<()> {
    let (database, mut client) = world(context)?;
    // An administrator's functions read only the catalogue, and are slow.
    let calls: Vec<String> = routines(context, &mut client)?
        .iter()
        .filter(|routine| !routine.is_procedure && !OF_ADMINISTRATORS.contains(&routine.name.as_str()))
        .map(|routine| routine.sensible())
        .collect();
    database.fixture("robustness/rows")?;
    let mut wrong = Vec::new();
    for row in client.query(&text(context, "robustness/columns")?, &[])? {
        let (what, update): (String, String) = (row.get(0), row.get(1));
        let attempts = undone(&mut client, |transaction| {
            let changed = transaction.batch_execute(&update);
            // The value would violate a unique key.
            if changed.is_err() {
                return Ok(Vec::new());
            }
            let attempts = "SELECT call, state, message FROM hostile.attempts($1)";
            Ok(transaction.query(attempts, &[&calls])?)
        })?;
        for attempt in attempts {
            let (call, state, message): (String, String, String) = (attempt.get(0), attempt.get(1), attempt.get(2));
            let known = [&OWN[..], &OF_POSTGRES, &[ROLLED_BACK]].concat();
            if !known.contains(&state.as_str()) {
                wrong.push(format!("where {what}, {call}\nraises {state}: {message}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// An infinite time, or a time that does not fit into a claim token, must not prevent a task from being processed or
/// multica_status() from being read.
pub fn tasks_with_infinite_times_can_be_processed(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    let id = |label: &str| format!("'00000000-0000-4000-8000-0000000000{label}'");
    for time in ["infinity", "-infinity", "294276-12-31 23:59:59+00"] {
        client.batch_execute("BEGIN")?;
        client.batch_execute(&format!(
            "UPDATE agent_task_queue SET created_at = '{time}';
             UPDATE agent_task_queue SET dispatched_at = '{time}' WHERE dispatched_at IS NOT NULL;
             UPDATE agent_task_queue SET started_at = '{time}' WHERE started_at IS NOT NULL;
             UPDATE agent_runtime SET last_seen_at = '{time}'"
        ))?;
        expect(&mut client, "SELECT tasks_queued, tasks_dispatched, tasks_running FROM multica_status()", "2 1 1")?;
        ensure!(values(&mut client, "SELECT FROM multica_metrics()")?.len() > 10);
        let answers = [
            (format!("SELECT applied FROM multica_start({})", id("e2")), "t"),
            (format!("SELECT multica_pin_session({}, 's')", id("e3")), "t"),
            (format!("SELECT applied FROM multica_complete({})", id("e3")), "t"),
            (format!("SELECT applied FROM multica_fail({}, 'x')", id("e2")), "t"),
            (format!("SELECT id = {0} FROM multica_claim({1})", id("e1"), id("b1")), "t"),
            (format!("SELECT applied FROM multica_cancel({})", id("e1")), "t"),
            ("SELECT count(*) FROM multica_sweep()".to_string(), "1"),
        ];
        for (sql, answer) in answers {
            expect(&mut client, &sql, answer)?;
        }
        client.batch_execute("ROLLBACK")?;
    }
    Ok(())
}
