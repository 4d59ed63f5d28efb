//! A caller must not make code run as the owner of the tables, and must not read what its functions do not return.

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, SimpleQueryMessage};

use super::support::{attempt, give_tables, grant, holder, role, world, world_with_policies};
use crate::context::Context;
use crate::database::Database;
use crate::suites::errors::{good_arguments, routines};
use crate::suites::support::{expect, expect_state, id, team, values};

/// The value of every column that must stay unreachable.
const SECRET: &str = "unreachable-value";

/// The team, whose tables belong to a role that is no superuser, a role with the capability operator that may make
/// temporary objects, and a log of traps that every role may write.
fn prepared(context: &Context) -> Result<(Database<'_>, Client, String)> {
    let (database, mut client) = team(context)?;
    let owner = role(&database, "owner")?;
    give_tables(&mut client, &owner)?;
    let attacker = holder(&database, "operator")?;
    client.batch_execute(&format!(
        "CREATE SCHEMA trap AUTHORIZATION {attacker}; GRANT USAGE ON SCHEMA trap TO PUBLIC;
         CREATE TABLE trap.caught (who text); GRANT ALL ON trap.caught TO PUBLIC"
    ))?;
    Ok((database, client, attacker))
}

/// A function of the attacker that records as whom it runs.
const TRAP: &str = "
    CREATE FUNCTION trap.spring() RETURNS bigint LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO trap.caught VALUES (current_user); RETURN 0; END $$;
    CREATE FUNCTION trap.fire() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM trap.spring(); RETURN NEW; END $$;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA trap TO PUBLIC";

/// A table that is missing in the schema is found in pg_temp. Its defaults, triggers, rules and views must not run.
pub fn temporary_relation_is_refused(context: &Context) -> Result<()> {
    let (database, mut superuser, attacker) = prepared(context)?;
    superuser.batch_execute("CREATE TABLE trap.shape (LIKE multica_event_reader); DROP TABLE multica_event_reader")?;
    superuser.batch_execute("GRANT SELECT ON trap.shape TO PUBLIC")?;
    for object in [
        "CREATE TEMPORARY TABLE multica_event_reader (LIKE trap.shape);
         ALTER TABLE multica_event_reader ALTER COLUMN last_id SET DEFAULT trap.spring(), ADD CHECK (trap.spring() = 0)",
        "CREATE TEMPORARY TABLE multica_event_reader (LIKE trap.shape);
         CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE ON multica_event_reader FOR EACH ROW EXECUTE FUNCTION trap.fire()",
        "CREATE TEMPORARY TABLE multica_event_reader (LIKE trap.shape);
         CREATE RULE spring AS ON INSERT TO multica_event_reader DO ALSO SELECT trap.spring();
         CREATE RULE instead AS ON DELETE TO multica_event_reader DO INSTEAD SELECT trap.spring()",
        "CREATE TEMPORARY VIEW multica_event_reader AS
             SELECT reader, trap.spring() AS last_id, created_at, taken_at FROM trap.shape
             UNION ALL SELECT 'reader', trap.spring(), now(), now()",
    ] {
        let mut client = database.connect_as(&attacker)?;
        client.batch_execute(&format!("{TRAP}; {object}"))?;
        for call in [
            "SELECT FROM multica_take_events('reader')",
            "SELECT FROM multica_list_readers()",
            "SELECT multica_forget_reader('reader')",
            "SELECT FROM multica_status()",
        ] {
            let error = client.batch_execute(call).err().with_context(|| format!("{call} succeeds\n{object}"))?;
            let error = error.as_db_error().context("no error of the server")?;
            ensure!(error.code().code() == "55000", "{call}\n{object}\n{error:?}");
            // Postgres itself refuses to delete from such a view, with the same SQLSTATE.
            let is_ours = error.constraint() == Some("install_needed");
            ensure!(is_ours || error.message().starts_with("cannot delete from view"), "{call}\n{object}\n{error:?}");
        }
        let caught = values(&mut superuser, "SELECT who FROM trap.caught WHERE who <> session_user")?;
        let foreign: Vec<&String> = caught.iter().filter(|who| **who != attacker).collect();
        ensure!(foreign.is_empty(), "{object}\nran as {foreign:?}");
        client.batch_execute("DROP FUNCTION trap.spring CASCADE; DROP FUNCTION trap.fire CASCADE")?;
    }
    Ok(())
}

/// Calls a function as a role; returns None if it succeeds, otherwise the hint.
fn refused(database: &Database, role: &str, call: &str) -> Result<Option<String>> {
    let Some(error) = database.connect_as(role)?.batch_execute(call).err() else {
        return Ok(None);
    };
    let error = error.as_db_error().context("no error of the server")?;
    ensure!(error.code().code() == "55000" && error.constraint() == Some("schema_open"), "{error:?}");
    Ok(Some(error.hint().unwrap_or_default().to_string()))
}

/// While a role that is not trusted may create functions and operators in the schema, a call does not act as the owner.
/// The hint closes the schema.
pub fn open_schema_is_refused(context: &Context) -> Result<()> {
    let (database, mut superuser, operator) = prepared(context)?;
    let heartbeat = format!("SELECT FROM multica_heartbeat({})", id("b1"));
    let stranger = role(&database, "stranger")?;
    for grantee in [stranger.as_str(), &operator, "PUBLIC"] {
        superuser.batch_execute(&format!("GRANT CREATE ON SCHEMA public TO {grantee}"))?;
        let hint = refused(&database, &operator, &heartbeat)?.context("the call acts as the owner")?;
        ensure!(hint == format!("Run REVOKE CREATE ON SCHEMA public FROM {grantee};"), "{hint}");
        // A superuser and the owner gain nothing.
        superuser.batch_execute(&heartbeat)?;
        database.connect_as(&format!("{}_owner", database.name))?.batch_execute(&heartbeat)?;
        superuser.batch_execute(hint.trim_start_matches("Run "))?;
        let hint = refused(&database, &operator, &heartbeat)?;
        ensure!(hint.is_none(), "after the hint of {grantee}: {hint:?}");
    }
    // These control the schema or the functions in any case.
    let trusted = role(&database, "trusted")?;
    let owner = format!("{}_owner", database.name);
    for (before, grantee, after) in [
        (String::new(), "postgres", String::new()),
        (String::new(), "pg_database_owner", String::new()),
        (String::new(), owner.as_str(), String::new()),
        (
            format!("ALTER DATABASE {} OWNER TO {trusted}", database.name),
            &trusted,
            format!("ALTER DATABASE {} OWNER TO postgres", database.name),
        ),
        (
            format!("ALTER SCHEMA public OWNER TO {trusted}"),
            &trusted,
            "ALTER SCHEMA public OWNER TO pg_database_owner".into(),
        ),
        (format!("ALTER ROLE {trusted} SUPERUSER"), &trusted, format!("ALTER ROLE {trusted} NOSUPERUSER")),
    ] {
        superuser.batch_execute(&format!("{before}; GRANT CREATE ON SCHEMA public TO {grantee}"))?;
        let hint = refused(&database, &operator, &heartbeat)?;
        ensure!(hint.is_none(), "{before} {grantee}: {hint:?}");
        superuser.batch_execute(&format!("REVOKE CREATE ON SCHEMA public FROM {grantee}; {after}"))?;
    }
    Ok(())
}

/// A role that an earlier version granted privileges on the tables can go on while the schema is open: its calls run with
/// these privileges.
pub fn open_schema_keeps_earlier_grants_working(context: &Context) -> Result<()> {
    let database = world_with_policies(context)?;
    let daemon = holder(&database, "daemon")?;
    let mut superuser = database.connect()?;
    for table in values(&mut superuser, "SELECT quote_ident(relname) FROM pg_class WHERE relrowsecurity")? {
        superuser.batch_execute(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"))?;
    }
    superuser.batch_execute("GRANT CREATE ON SCHEMA public TO PUBLIC")?;
    let outcome = attempt(&mut database.connect_as(&daemon)?, &super::support::story(context, "daemon")?)?;
    ensure!(outcome.is_none(), "{outcome:?}");
    Ok(())
}

/// A table belongs to another role than the others. A trigger of that role must not run as the owner of the others.
pub fn tables_of_several_owners_are_used_as_the_caller(context: &Context) -> Result<()> {
    let (database, mut superuser, operator) = prepared(context)?;
    let second = role(&database, "second")?;
    superuser.batch_execute(&format!(
        "{TRAP}; ALTER TABLE agent_runtime OWNER TO {second};
         CREATE TRIGGER fire BEFORE UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION trap.fire()"
    ))?;
    let heartbeat = format!("SELECT FROM multica_heartbeat({})", id("b1"));
    expect_state(&mut database.connect_as(&operator)?, &heartbeat, "42501")?;
    grant(&mut superuser, &operator, "operator")?;
    database.connect_as(&operator)?.batch_execute(&heartbeat)?;
    let caught = values(&mut superuser, "SELECT DISTINCT who FROM trap.caught")?;
    ensure!(caught == [operator], "the trigger ran as {caught:?}");
    Ok(())
}

/// Fills the secret columns of agents, and returns the calls of every function that reads or writes rows.
fn calls_beside_secrets(context: &Context) -> Result<(Database<'_>, Client, Vec<String>)> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "ALTER TABLE agent ADD COLUMN IF NOT EXISTS mcp_config jsonb, ADD COLUMN runtime_mcp_overlay jsonb;
         UPDATE agent SET custom_env = jsonb_build_object('TOKEN', '{SECRET}'),
             mcp_config = jsonb_build_object('token', '{SECRET}'),
             runtime_mcp_overlay = jsonb_build_object('token', '{SECRET}');
         UPDATE agent SET status = 'working';
         SELECT task('e1', status => 'running'), task('e2'), task('e3', agent => 'c2')"
    ))?;
    let mut calls = Vec::new();
    for routine in routines(&mut client)? {
        let call = routine.call(&good_arguments(&routine)?);
        calls.push(call.replacen("SELECT FROM", "SELECT * FROM", 1));
    }
    Ok((database, client, calls))
}

/// No function returns, records or notifies a value of the columns with which an agent is started.
pub fn no_function_returns_agent_secrets(context: &Context) -> Result<()> {
    let (database, mut superuser, calls) = calls_beside_secrets(context)?;
    let operator = holder(&database, "operator")?;
    let mut client = database.connect_as(&operator)?;
    let mut rows = 0;
    for call in &calls {
        let text = match client.simple_query(call) {
            Ok(messages) => {
                rows += messages.iter().filter(|it| matches!(it, SimpleQueryMessage::Row(_))).count();
                format!("{messages:?}")
            }
            Err(error) => format!("{error:?}"),
        };
        ensure!(!text.contains(SECRET), "{call}\nreturns {text}");
    }
    ensure!(rows > 30, "the calls returned only {rows} rows");
    let found = "SELECT count(*) > 0, count(*) FILTER (WHERE e::text LIKE '%unreachable%') FROM multica_event_log AS e";
    expect(&mut superuser, found, "t 0")
}

/// The detail of a violated constraint shows a row, which Postgres has checked with the privileges of the owner. It
/// reaches a superuser and the server's log, and neither the caller nor the last error of a sweep.
pub fn error_does_not_show_agent_secrets(context: &Context) -> Result<()> {
    let (database, mut superuser, _) = calls_beside_secrets(context)?;
    let owner = role(&database, "owner")?;
    give_tables(&mut superuser, &owner)?;
    let operator = holder(&database, "operator")?;
    superuser.batch_execute("ALTER TABLE agent ADD CONSTRAINT never CHECK (runtime_mode <> 'local') NOT VALID")?;
    let cancel = format!("SELECT FROM multica_cancel({})", id("e1"));
    let error = database.connect_as(&operator)?.batch_execute(&cancel).expect_err("the row violates the constraint");
    let error = error.as_db_error().context("no error of the server")?;
    ensure!(error.code().code() == "23514" && error.constraint() == Some("never"), "{error:?}");
    ensure!(error.detail() == Some("The server's log shows the row."), "{error:?}");
    let error = superuser.batch_execute(&cancel).expect_err("the row violates the constraint");
    let error = error.as_db_error().context("no error of the server")?;
    ensure!(error.detail().is_some_and(|detail| detail.contains("Failing row")), "{error:?}");
    superuser.batch_execute("UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '1 hour'")?;
    superuser.batch_execute("SELECT FROM multica_sweep()")?;
    let recorded = "SELECT last_error LIKE '%never%', last_error LIKE '%unreachable%' FROM multica_status()";
    expect(&mut database.connect_as(&operator)?, recorded, "t f")
}

/// Settings that a caller may change do not change what a call does as the owner.
pub fn settings_of_the_caller_change_no_rights(context: &Context) -> Result<()> {
    let database = world(context)?;
    let (operator, owner) = (holder(&database, "operator")?, role(&database, "owner")?);
    let mut superuser = database.connect()?;
    give_tables(&mut superuser, &owner)?;
    superuser.batch_execute(&format!("CREATE SCHEMA mine AUTHORIZATION {operator}"))?;
    let mut client = database.connect_as(&operator)?;
    client.batch_execute(
        "CREATE TABLE mine.agent_runtime (id uuid); SET search_path = mine, pg_temp, public; SET row_security = off;
         SET check_function_bodies = off; SET client_min_messages = debug5; SET debug_print_parse = on;
         SET default_transaction_isolation = 'repeatable read'; SET transform_null_equals = on;
         SET quote_all_identifiers = on; SET backslash_quote = on",
    )?;
    client.batch_execute(&format!("SELECT FROM public.multica_heartbeat({})", id("b1")))?;
    expect_state(&mut client, "SET session_replication_role = replica", "42501")?;
    expect(&mut client, "SELECT count(*) FROM mine.agent_runtime", "0")?;
    expect(&mut client, "SELECT current_user", &operator)?;
    grant(&mut superuser, &operator, "operator")
}
