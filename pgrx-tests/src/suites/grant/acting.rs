//! A call acts as the owner of the tables. After it, the current role is the caller again.

use anyhow::{Result, ensure};
use postgres::Client;

use super::support::{attempt, give_tables, grant, holder, role};
use crate::context::Context;
use crate::database::Database;
use crate::suites::robustness::routine::{Outcome, answer, routines, world};
use crate::suites::support::{OF_ADMINISTRATORS, expect, expect_state, id, team, values};

/// Records the roles of a trigger that runs on every heartbeat.
const WITNESS: &str = "
    CREATE TABLE witness (who text, session text); GRANT ALL ON witness TO PUBLIC;
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
    BEGIN INSERT INTO witness VALUES (current_user, session_user); RETURN NEW; END $$;
    CREATE TRIGGER see BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION see()";

/// The team, whose tables belong to a role that is no superuser; a superuser, and the owner of the tables.
fn owned(context: &Context) -> Result<(Database<'_>, Client, String)> {
    let (database, mut client) = team(context)?;
    let owner = role(&database, "owner")?;
    give_tables(&mut client, &owner)?;
    Ok((database, client, owner))
}

fn outcome_as(client: &mut Client, role: &str, call: &str) -> Result<Outcome> {
    let (outcome, _) = answer(client, &format!("BEGIN; SET LOCAL ROLE {role}; {call}; ROLLBACK"))?;
    if matches!(outcome, Outcome::Raised(..)) {
        client.batch_execute("ROLLBACK")?;
    }
    Ok(outcome)
}

/// Every function of the catalogue has the same result for its owner and for a role that has only EXECUTE.
pub fn every_call_needs_no_privilege_on_tables(context: &Context) -> Result<()> {
    let (database, mut client) = world(context)?;
    let (owner, caller) = (role(&database, "owner")?, holder(&database, "operator")?);
    give_tables(&mut client, &owner)?;
    let mut called = 0;
    for routine in routines(context, &mut client)? {
        if routine.is_procedure || OF_ADMINISTRATORS.contains(&routine.name.as_str()) {
            continue;
        }
        let call = routine.sensible();
        let found = outcome_as(&mut client, &caller, &call)?;
        ensure!(matches!(found, Outcome::Rows(..)), "{call}: {found:?}");
        let expected = outcome_as(&mut client, &owner, &call)?;
        ensure!(found == expected, "{call}\nreturns {found:?}, and {expected:?} for the owner");
        called += 1;
    }
    ensure!(called > 50, "only {called} functions were called");
    let mut client = database.connect_as(&caller)?;
    client.batch_execute("CALL multica_sweep_all()")?;
    expect_state(&mut client, "SELECT FROM agent_runtime", "42501")
}

/// Fails unless the current role is this one, and may not read a table.
fn is_caller(client: &mut Client, role: &str, after: &str) -> Result<()> {
    let found = values(client, "SELECT current_user")?;
    ensure!(found == [role], "after {after}, the current role is {found:?}");
    let refused = attempt(client, "SELECT FROM agent_task_queue")?;
    ensure!(refused.is_some(), "after {after}, {role} may read a table");
    Ok(())
}

/// Errors in calls, caught or not, and calls in transactions, procedures and open cursors.
pub fn role_is_the_callers_after_each_call(context: &Context) -> Result<()> {
    let (database, mut superuser, _) = owned(context)?;
    let caller = holder(&database, "operator")?;
    let mut client = database.connect_as(&caller)?;
    let (b1, unknown) = (id("b1"), id("00"));
    client.batch_execute(&format!("SELECT FROM multica_heartbeat({b1})"))?;
    is_caller(&mut client, &caller, "a call")?;
    expect_state(&mut client, &format!("SELECT FROM multica_start({unknown})"), "P0002")?;
    is_caller(&mut client, &caller, "an error")?;
    client.batch_execute(&format!(
        "DO $$ DECLARE caller CONSTANT text := current_user; BEGIN
             FOR n IN 1..3 LOOP
                 BEGIN
                     PERFORM multica_heartbeat({b1});
                     PERFORM multica_start({unknown});
                     RAISE 'no error';
                 EXCEPTION WHEN no_data_found THEN NULL;
                 END;
                 IF current_user <> caller THEN
                     RAISE 'the current role is %', current_user;
                 END IF;
             END LOOP;
         END $$"
    ))?;
    is_caller(&mut client, &caller, "a caught error")?;
    client.batch_execute("BEGIN; SAVEPOINT before")?;
    expect_state(&mut client, &format!("SELECT FROM multica_start({unknown})"), "P0002")?;
    client.batch_execute("ROLLBACK TO before")?;
    expect(&mut client, "SELECT current_user", &caller)?;
    client.batch_execute("COMMIT")?;
    client.batch_execute("CALL multica_sweep_all()")?;
    is_caller(&mut client, &caller, "a procedure")?;
    client.batch_execute(&format!(
        "BEGIN; DECLARE open CURSOR FOR SELECT multica_list_runtimes({a1}), current_user; FETCH 1 FROM open",
        a1 = id("a1")
    ))?;
    expect(&mut client, "SELECT current_user", &caller)?;
    let fetched = values(&mut client, "FETCH 1 FROM open")?;
    ensure!(fetched[0].ends_with(&caller), "the cursor returned {fetched:?}");
    client.batch_execute("COMMIT")?;
    is_caller(&mut client, &caller, "an open cursor")?;
    superuser.batch_execute(
        "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
         CREATE TRIGGER sleep BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION sleep()",
    )?;
    client.batch_execute("SET statement_timeout = '50ms'")?;
    expect_state(&mut client, &format!("SELECT FROM multica_heartbeat({b1})"), "57014")?;
    client.batch_execute("RESET statement_timeout")?;
    is_caller(&mut client, &caller, "a cancelled call")
}

/// A trigger sees the owner as the current role and the caller as the session's role, whoever calls, a superuser
/// included. It cannot change the role.
pub fn triggers_run_as_owner(context: &Context) -> Result<()> {
    let (database, mut superuser, owner) = owned(context)?;
    let caller = holder(&database, "daemon")?;
    superuser.batch_execute(WITNESS)?;
    let heartbeat = format!("SELECT FROM multica_heartbeat({})", id("b1"));
    database.connect_as(&caller)?.batch_execute(&heartbeat)?;
    superuser.batch_execute(&heartbeat)?;
    let seen = values(&mut superuser, "SELECT who, session FROM witness ORDER BY session")?;
    let mut expected = [format!("{owner} {caller}"), format!("{owner} postgres")];
    expected.sort();
    let mut found = seen.clone();
    found.sort();
    ensure!(found == expected, "triggers saw {seen:?}");
    superuser.batch_execute(
        "CREATE FUNCTION rise() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM set_config('role', session_user, true); RETURN NEW; END $$;
         CREATE TRIGGER rise BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION rise()",
    )?;
    expect_state(&mut superuser, &heartbeat, "42501")
}

/// A trigger of the owner, and one that runs as a third role, call functions. Each has its own role afterwards.
pub fn nested_calls_keep_the_role_of_the_trigger(context: &Context) -> Result<()> {
    let (database, mut superuser, owner) = owned(context)?;
    let (caller, third) = (holder(&database, "daemon")?, role(&database, "third")?);
    grant(&mut superuser, &third, "reader")?;
    let body = format!(
        "AS $$ BEGIN
             INSERT INTO witness VALUES (current_user, 'before');
             PERFORM multica_list_pending_tasks({b1});
             BEGIN PERFORM multica_get_task({unknown}); EXCEPTION WHEN no_data_found THEN NULL; END;
             INSERT INTO witness VALUES (current_user, 'after');
             RETURN NEW;
         END $$",
        b1 = id("b1"),
        unknown = id("00"),
    );
    superuser.batch_execute(&format!(
        "CREATE TABLE witness (who text, moment text); GRANT ALL ON witness TO PUBLIC;
         CREATE FUNCTION first() RETURNS trigger LANGUAGE plpgsql SET search_path = public {body};
         CREATE FUNCTION second() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public {body};
         ALTER FUNCTION second() OWNER TO {third};
         CREATE TRIGGER first BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION first();
         CREATE TRIGGER second BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION second()"
    ))?;
    let mut client = database.connect_as(&caller)?;
    client.batch_execute(&format!("SELECT FROM multica_heartbeat({})", id("b1")))?;
    is_caller(&mut client, &caller, "nested calls")?;
    let seen = values(&mut superuser, "SELECT who, moment FROM witness ORDER BY ctid")?;
    let expected = [(&owner, "before"), (&owner, "after"), (&third, "before"), (&third, "after")];
    let expected = expected.map(|(who, moment)| format!("{who} {moment}"));
    ensure!(seen == expected, "triggers saw {seen:?}");
    Ok(())
}

/// Where policies apply to the caller, the call runs with the privileges of the caller. An open session notices at once
/// that row-level security is switched on or off.
pub fn policies_of_the_caller_are_not_bypassed(context: &Context) -> Result<()> {
    let (database, mut superuser, owner) = owned(context)?;
    let (caller, exempt) = (holder(&database, "daemon")?, holder(&database, "reader")?);
    superuser.batch_execute(WITNESS)?;
    let mut client = database.connect_as(&caller)?;
    let heartbeat = format!("SELECT FROM multica_heartbeat({})", id("b1"));
    client.batch_execute(&heartbeat)?;
    superuser.batch_execute(&format!(
        "ALTER ROLE {exempt} BYPASSRLS;
         ALTER TABLE agent_runtime ENABLE ROW LEVEL SECURITY;
         CREATE POLICY everything ON agent_runtime USING (true)"
    ))?;
    expect_state(&mut client, &heartbeat, "42501")?;
    database.connect_as(&exempt)?.batch_execute("SELECT FROM multica_status()")?;
    grant(&mut superuser, &caller, "daemon")?;
    client.batch_execute(&heartbeat)?;
    superuser.batch_execute("ALTER TABLE agent_runtime DISABLE ROW LEVEL SECURITY")?;
    client.batch_execute(&heartbeat)?;
    let seen = values(&mut superuser, "SELECT who FROM witness ORDER BY ctid")?;
    ensure!(seen == [owner.as_str(), &caller, &owner], "triggers saw {seen:?}");
    // Policies that apply to the owner would hide rows from a caller to whom they do not apply.
    superuser.batch_execute(
        "ALTER TABLE agent_runtime ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         ALTER POLICY everything ON agent_runtime USING (false)",
    )?;
    expect(&mut superuser, "SELECT runtimes_online > 0 FROM multica_status()", "t")
}

/// A session that is open while the tables get another owner acts as the new owner.
pub fn change_of_owner_is_noticed(context: &Context) -> Result<()> {
    let (database, mut superuser, owner) = owned(context)?;
    let (caller, next) = (holder(&database, "daemon")?, role(&database, "next")?);
    superuser.batch_execute(WITNESS)?;
    let mut client = database.connect_as(&caller)?;
    let heartbeat = format!("SELECT FROM multica_heartbeat({})", id("b1"));
    client.batch_execute(&heartbeat)?;
    give_tables(&mut superuser, &next)?;
    client.batch_execute(&heartbeat)?;
    let seen = values(&mut superuser, "SELECT who FROM witness ORDER BY ctid")?;
    ensure!(seen == [owner, next], "triggers saw {seen:?}");
    Ok(())
}

/// Postgres shows when the transaction of another role began only to some roles, and so does `multica_status`.
pub fn status_shows_other_sessions_as_to_its_caller(context: &Context) -> Result<()> {
    let (database, mut superuser) = team(context)?;
    let reader = holder(&database, "reader")?;
    let mut recording = database.connect()?;
    recording.batch_execute(&format!("BEGIN; SELECT multica_set_runtime_offline({})", id("b1")))?;
    let held = "SELECT events_held, events_held_since IS NULL FROM multica_status()";
    expect(&mut superuser, held, "1 f")?;
    let mut client = database.connect_as(&reader)?;
    expect(&mut client, held, "1 t")?;
    recording.batch_execute("ROLLBACK")?;
    superuser.batch_execute(&format!("GRANT pg_read_all_stats TO {reader}"))?;
    recording.batch_execute(&format!("BEGIN; SELECT multica_set_runtime_offline({})", id("b1")))?;
    expect(&mut client, "SELECT events_held_since IS NULL FROM multica_status()", "f")
}
