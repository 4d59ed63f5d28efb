//! Row-level security. A call has the same result as without it, or raises an error. A call never decides on a part of
//! the rows.

use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, NoTls};

use super::Suite;
use super::grant::support::holder;
use super::robustness::routine::{Outcome, Routine, answer, routines, world};
use super::support::{OF_ADMINISTRATORS, expect, expect_state, id, team, text, value, values};
use super::worker::{SOON, fleet, ticking};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    no_call_decides_on_hidden_rows,
    role_per_workspace_can_use_own_rows,
    issue_with_hidden_active_task_is_not_reset,
    hidden_task_counts_against_agent_capacity,
    requested_hidden_row_is_not_found,
    table_without_policy_hides_all_rows,
    install_and_status_warn_of_forced_row_security,
];

/// What the worker does with an error that sweeps raise on every version.
pub const AT_HOME: &[(&str, Suite)] = suite![worker_reports_hidden_rows];

/// The message of a refused call.
const HIDDEN: &str = "row-level security hides rows that this call depends on";

/// Functions that handle each requested row separately, so that hidden rows can be left out.
const ROW_BY_ROW: [&str; 18] = [
    "multica_deregister",
    "multica_events",
    "multica_forget_reader",
    "multica_get_runtime",
    "multica_get_runtime_for_workspace",
    "multica_get_task",
    "multica_heartbeat_many",
    "multica_list_agent_tasks",
    "multica_list_issue_tasks",
    "multica_list_pending_tasks",
    "multica_list_readers",
    "multica_list_runtimes",
    "multica_list_runtimes_by_owner",
    "multica_pin_session",
    "multica_progress",
    "multica_take_events",
    "multica_handle_failed_tasks",
    "multica_set_runtime_offline",
];

/// Functions that decide on the rows of all workspaces.
const OF_ALL: [&str; 11] = [
    "multica_count_sweep_parts",
    "multica_delete_stale_offline_runtimes",
    "multica_fail_stale_tasks",
    "multica_fail_tasks_for_offline_runtimes",
    "multica_mark_stale_runtimes_offline",
    "multica_metrics",
    "multica_retry_policy_in_force",
    "multica_status",
    "multica_sweep",
    "multica_sweep_all",
    "multica_sweep_part",
];

/// The database of the suite `hostile` with policies, and a role with every privilege; policies apply to it.
fn database_with_policies(context: &Context) -> Result<(Database<'_>, Client, String)> {
    let (database, client) = world(context)?;
    database.fixture("row_security/policies")?;
    let role = holder(&database, "operator")?;
    Ok((database, client, role))
}

/// Calls as this role, and returns the result and the rows after it; all changes are rolled back.
fn call_as(client: &mut Client, role: &str, call: &str, state: &str) -> Result<(Outcome, Vec<String>)> {
    let script = format!(
        "BEGIN; UPDATE agent_runtime SET last_seen_at = clock_timestamp() WHERE status = 'online';
         SET LOCAL ROLE {role}; {call}; RESET ROLE; {state}; ROLLBACK"
    );
    let (outcome, messages) = answer(client, &script)?;
    if let Outcome::Raised(..) = outcome {
        client.batch_execute("ROLLBACK")?;
        return Ok((outcome, Vec::new()));
    }
    let state = messages.iter().filter_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) if row.len() == 5 => row.get(3).map(str::to_string),
        _ => None,
    });
    let mut state: Vec<String> = state.collect();
    state.sort();
    Ok((outcome, state))
}

/// Returns the detail of the error of a call, which names the table.
fn hidden_table(client: &mut Client, role: &str, call: &str) -> Result<String> {
    let outcome = client.batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}; {call}"));
    client.batch_execute("ROLLBACK")?;
    let detail = outcome.err().and_then(|error| error.as_db_error()?.detail().map(str::to_string));
    Ok(detail.unwrap_or_default())
}

fn is_refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Raised(code, message) if code == "55000" && message == HIDDEN)
}

/// Postgres refused the row, or the call did not find it.
fn is_denied(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Raised(code, message)
        if code == "P0002" || (code == "42501" && message.contains("row-level security")))
}

fn functions(context: &Context, client: &mut Client) -> Result<Vec<Routine>> {
    let mut routines = routines(context, client)?;
    routines.retain(|routine| !routine.is_procedure);
    Ok(routines)
}

/// The result of each function while no row is hidden. The role may not call the functions of an administrator.
fn results_without_hidden_rows(
    client: &mut Client,
    role: &str,
    functions: &[Routine],
    state: &str,
) -> Result<Vec<(Outcome, Vec<String>)>> {
    let mut all = Vec::new();
    for routine in functions {
        let found = call_as(client, role, &routine.sensible(), state)?;
        let is_not_granted = OF_ADMINISTRATORS.contains(&routine.name.as_str());
        let succeeds = matches!(found.0, Outcome::Rows(..));
        ensure!(succeeds || is_not_granted, "{}: {:?}", routine.name, found.0);
        all.push(found);
    }
    Ok(all)
}

/// Every function, while the rows of one table after the other are hidden from its caller.
fn no_call_decides_on_hidden_rows(context: &Context) -> Result<()> {
    let (_database, mut client, role) = database_with_policies(context)?;
    let state = text(context, "model_state")?;
    let functions = functions(context, &mut client)?;
    let expected = results_without_hidden_rows(&mut client, &role, &functions, &state)?;
    let tables =
        values(&mut client, "SELECT quote_ident(c.relname) FROM pg_class AS c WHERE c.relrowsecurity ORDER BY 1")?;
    ensure!(tables.len() == 22, "{tables:?}");
    let mut refused = 0;
    for table in &tables {
        client.batch_execute(&format!(
            "CREATE POLICY hidden ON {table} AS RESTRICTIVE TO {role} USING (false) WITH CHECK (true)"
        ))?;
        for (routine, expected) in functions.iter().zip(&expected) {
            let found = call_as(&mut client, &role, &routine.sensible(), &state)
                .with_context(|| format!("{} without {table}", routine.name))?;
            refused += usize::from(is_refused(&found.0));
            let is_right = found == *expected || is_refused(&found.0) || is_denied(&found.0);
            ensure!(
                is_right || ROW_BY_ROW.contains(&routine.name.as_str()),
                "{} with {table} hidden\nhas the result {found:#?}, not {expected:#?}",
                routine.name
            );
        }
        client.batch_execute(&format!("DROP POLICY hidden ON {table}"))?;
    }
    ensure!(refused > 50, "only {refused} calls are refused");
    for name in ROW_BY_ROW.iter().chain(&OF_ALL) {
        let found = value(&mut client, &format!("SELECT '{name}'::regproc"))?;
        ensure!(found.contains(name), "there is no {name}");
    }
    Ok(())
}

/// Policies by workspace, one role per workspace: calls on its rows have the same result as without policies, and calls
/// on all workspaces are refused.
fn role_per_workspace_can_use_own_rows(context: &Context) -> Result<()> {
    let (database, mut client, role) = database_with_policies(context)?;
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET status = 'offline', last_seen_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = {b9};
         UPDATE agent_task_queue SET status = 'dispatched', dispatched_at = '2020-01-01' WHERE id = {e9}",
        b9 = id("b9"),
        e9 = id("e9"),
    ))?;
    let state = text(context, "model_state")?;
    let functions = functions(context, &mut client)?;
    let expected = results_without_hidden_rows(&mut client, &role, &functions, &state)?;
    database.fixture("row_security/tenant")?;
    // With statistics of tiny tables, reading a whole index, rows of other workspaces included, costs as little as a
    // lookup.
    client.batch_execute("ANALYZE")?;
    let mut wrong = String::new();
    for (routine, expected) in functions.iter().zip(&expected) {
        let found = call_as(&mut client, &role, &routine.sensible(), &state)?;
        let name = routine.name.as_str();
        let is_of_all = OF_ALL.contains(&name) && is_refused(&found.0);
        if found != *expected && !is_of_all && !name.ends_with("_events") {
            let hidden = hidden_table(&mut client, &role, &routine.sensible())?;
            wrong += &format!("{name} ({hidden})\nhas the result {found:?}, not {expected:?}\n");
        }
    }
    ensure!(wrong.is_empty(), "{wrong}");
    let mut tenant = database.connect_as(&role)?;
    for call in ["SELECT FROM multica_sweep()", "SELECT FROM multica_status()", "CALL multica_sweep_all()"] {
        expect_state(&mut tenant, call, "55000")?;
    }
    Ok(())
}

fn hide_task(client: &mut Client, role: &str, label: &str) -> Result<()> {
    client.batch_execute(&format!(
        "CREATE POLICY hidden ON agent_task_queue AS RESTRICTIVE TO {role} USING (id <> {})",
        id(label)
    ))?;
    Ok(())
}

/// The caller does not see the task that another agent has for the issue.
fn issue_with_hidden_active_task_is_not_reset(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running'), task('e2', agent => 'c2', status => 'running');
         UPDATE agent_task_queue SET issue_id = {d1}, max_attempts = 1",
        d1 = id("d1")
    ))?;
    database.fixture("row_security/policies")?;
    let role = holder(&database, "daemon")?;
    hide_task(&mut client, &role, "e2")?;
    let mut daemon = database.connect_as(&role)?;
    let fail = format!("SELECT FROM multica_fail({}, 'broken')", id("e1"));
    expect_state(&mut daemon, &fail, "55000")?;
    let issue = format!("SELECT status FROM issue WHERE id = {}", id("d1"));
    expect(&mut client, &issue, "in_progress")?;
    client.batch_execute("DROP POLICY hidden ON agent_task_queue")?;
    daemon.batch_execute(&fail)?;
    expect(&mut client, &issue, "in_progress")
}

/// The caller does not see the only task that its agent may have in flight.
fn hidden_task_counts_against_agent_capacity(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "UPDATE agent SET max_concurrent_tasks = 1;
         SELECT task('e1', status => 'running'), task('e2'), task('e3', agent => 'c2');
         UPDATE agent_task_queue SET runtime_id = {b2} WHERE id = {e1}",
        b2 = id("b2"),
        e1 = id("e1"),
    ))?;
    database.fixture("row_security/policies")?;
    let role = holder(&database, "daemon")?;
    hide_task(&mut client, &role, "e1")?;
    let mut daemon = database.connect_as(&role)?;
    let claim = format!("SELECT right(id::text, 2) FROM multica_claim({}, 2)", id("b1"));
    expect_state(&mut daemon, &claim, "55000")?;
    client.batch_execute("DROP POLICY hidden ON agent_task_queue")?;
    expect(&mut daemon, &claim, "e3")
}

/// A hidden row is not found, like a row that does not exist.
fn requested_hidden_row_is_not_found(context: &Context) -> Result<()> {
    let (database, mut client, role) = database_with_policies(context)?;
    client.batch_execute(&format!(
        "CREATE POLICY hidden ON agent_runtime AS RESTRICTIVE TO {role} USING (false);
         CREATE POLICY hidden ON agent_task_queue AS RESTRICTIVE TO {role} USING (false)"
    ))?;
    let mut daemon = database.connect_as(&role)?;
    for call in [
        format!("multica_claim({})", id("b1")),
        format!("multica_heartbeat({})", id("b1")),
        format!("multica_delete_runtime({})", id("b1")),
        format!("multica_start({})", id("e2")),
        format!("multica_complete({})", id("e3")),
        format!("multica_fail({}, 'x')", id("e3")),
        format!("multica_cancel({})", id("e1")),
        format!("multica_retry({})", id("e4")),
    ] {
        expect_state(&mut daemon, &format!("SELECT FROM {call}"), "P0002")?;
    }
    Ok(())
}

/// Without any policy Postgres hides all rows of a table; a table without rows hides none.
fn table_without_policy_hides_all_rows(context: &Context) -> Result<()> {
    let (database, mut client, role) = database_with_policies(context)?;
    client.batch_execute(
        "DROP POLICY everything ON issue; DROP POLICY everything ON autopilot_run; DELETE FROM autopilot_run",
    )?;
    let mut daemon = database.connect_as(&role)?;
    let cancel = format!("SELECT FROM multica_cancel({})", id("e2"));
    expect_state(&mut daemon, &cancel, "55000")?;
    let cancel = format!("SELECT applied FROM multica_cancel({})", id("e1"));
    expect(&mut daemon, &cancel, "t")
}

/// Forces row-level security, so that policies apply to the owner of the tables too.
fn force_row_security(database: &Database, client: &mut Client) -> Result<()> {
    let owner = holder(database, "operator")?;
    client.batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {owner}"))?;
    let tables = values(
        client,
        "SELECT quote_ident(c.relname) FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
    )?;
    for table in tables {
        client.batch_execute(&format!("ALTER TABLE {table} OWNER TO {owner}"))?;
    }
    client.batch_execute("ALTER TABLE agent_runtime ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")?;
    Ok(())
}

/// A sweep that sees no row does nothing; without an error it would look like a sweep with nothing to do.
fn worker_reports_hidden_rows(context: &Context) -> Result<()> {
    let cluster = ticking(context, "worker_hidden_rows")?;
    let database = fleet(context, &cluster)?;
    let mut client = database.connect()?;
    force_row_security(&database, &mut client)?;
    client.batch_execute(&format!(
        "UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour';
         ALTER DATABASE {} SET multica.sweep = on",
        database.name
    ))?;
    Cluster::wait_until("the worker reports hidden rows", SOON, || {
        let reported = format!("SELECT last_error LIKE '%{HIDDEN}%' AND refused_ids = '{{}}' FROM multica_status()");
        Ok(value(&mut client, &reported)? == "t")
    })
}

/// The warnings of a statement.
fn warnings(database: &Database, sql: &str) -> Result<String> {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&messages);
    let mut client = database
        .cluster()
        .config(&database.name)
        .notice_callback(move |notice| collected.lock().unwrap().push(notice.message().to_string()))
        .connect(NoTls)?;
    client.batch_execute(sql)?;
    Ok(messages.lock().unwrap().join("; "))
}

/// Install and status warn an operator before the tasks of a stale runtime stay in flight.
fn install_and_status_warn_of_forced_row_security(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    force_row_security(&database, &mut client)?;
    for call in ["multica_install()", "multica_status()"] {
        let warning = warnings(&database, &format!("SELECT FROM {call}"))?;
        ensure!(warning.contains("row-level security is forced on the owner of agent_runtime"), "{call}: {warning}");
    }
    client.batch_execute("ALTER TABLE agent_runtime NO FORCE ROW LEVEL SECURITY")?;
    let warning = warnings(&database, "SELECT FROM multica_status()")?;
    ensure!(warning.is_empty(), "{warning}");
    Ok(())
}
