//! Users' code that runs under the extension's search_path, because the extension's DDL or its writes fire it.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{id, team};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    hint_names_event_trigger_without_search_path,
    event_trigger_with_search_path_works,
    error_names_default_or_domain_without_search_path,
];

/// Statements that add a user's column to tasks, whose function calls another function without a schema.
const OWN_COLUMNS: [&str; 2] = [
    "ALTER TABLE agent_task_queue ADD ticket text DEFAULT audit.ticket()",
    "CREATE DOMAIN audit.ticket AS text CHECK (audit.ticket() IS NOT NULL);
     ALTER TABLE agent_task_queue ADD ticket audit.ticket DEFAULT 'new'",
];

/// A database with an event trigger that calls a function without a schema; `settings` are those of the trigger's
/// function.
fn database_with_event_trigger<'a>(context: &'a Context, settings: &str) -> Result<(Database<'a>, Client)> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "CREATE SCHEMA audit;
         CREATE FUNCTION audit.note() RETURNS void LANGUAGE sql AS 'SELECT';
         CREATE FUNCTION audit.on_ddl() RETURNS event_trigger LANGUAGE plpgsql {settings} AS $$ BEGIN PERFORM note(); END $$;
         CREATE EVENT TRIGGER audited ON ddl_command_end EXECUTE FUNCTION audit.on_ddl();
         SET search_path = public, audit;
         CREATE ROLE {name}_reader;
         DROP INDEX multica_task_busy_v2",
        name = database.name
    ))?;
    Ok((database, client))
}

fn calls(database: &Database) -> [String; 2] {
    ["SELECT FROM multica_install()".to_string(), format!("SELECT multica_grant('{}_reader', 'reader')", database.name)]
}

fn hint_names_event_trigger_without_search_path(context: &Context) -> Result<()> {
    let (database, mut client) = database_with_event_trigger(context, "")?;
    for call in calls(&database) {
        let error = client.batch_execute(&call).err().context("the call succeeded")?;
        let error = error.as_db_error().context("no error of the server")?;
        let hint = error.hint().unwrap_or_default();
        ensure!(error.code().code() == "42883", "{call}: {error:?}");
        ensure!(hint.contains("on_ddl()") && hint.contains("SET search_path"), "{call}: {error:?}");
    }
    Ok(())
}

fn event_trigger_with_search_path_works(context: &Context) -> Result<()> {
    let (database, mut client) = database_with_event_trigger(context, "SET search_path = audit")?;
    for call in calls(&database) {
        client.batch_execute(&call).with_context(|| call.clone())?;
    }
    Ok(())
}

/// The error is raised by the user's function, and its CONTEXT names that function. If the function sets its own
/// search_path, it works.
fn error_names_default_or_domain_without_search_path(context: &Context) -> Result<()> {
    let enqueue = format!("SELECT FROM multica_enqueue({})", id("c1"));
    for own_column in OWN_COLUMNS {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "CREATE SCHEMA audit;
             CREATE FUNCTION audit.note() RETURNS text LANGUAGE sql AS $$ SELECT 'a'::text $$;
             CREATE FUNCTION audit.ticket() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN note(); END';
             SET search_path = public, audit;
             {own_column}"
        ))?;
        let error = client.batch_execute(&enqueue).err().context("the call succeeded")?;
        let error = error.as_db_error().context("no error of the server")?;
        let names_it = error.where_().is_some_and(|it| it.contains("audit.ticket()"));
        ensure!(error.code().code() == "42883" && names_it, "{error:?}");
        client.batch_execute("ALTER FUNCTION audit.ticket() SET search_path = audit")?;
        client.batch_execute(&enqueue)?;
    }
    Ok(())
}
