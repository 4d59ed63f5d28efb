//! Errors that pass through more than one layer: exception handlers, calls in triggers of calls, and the planning of
//! statements of users.

use anyhow::{Result, ensure};

use super::compare::{ensure_same, error_of};
use crate::context::Context;
use crate::suites::support::team;

/// A function that raises an error with every field set.
const FULL: &str = "CREATE FUNCTION full_error() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION USING ERRCODE = 'MY001', MESSAGE = 'no', DETAIL = 'because', HINT = 'do not',
            SCHEMA = 's', TABLE = 't', COLUMN = 'c', DATATYPE = 'd', CONSTRAINT = 'k';
    END $$;";

const START: &str = "SELECT multica_start('00000000-0000-4000-8000-0000000000e1')";
const PLAIN: &str = "UPDATE agent_task_queue SET status = 'running', started_at = now()
                     WHERE id = '00000000-0000-4000-8000-0000000000e1'";

fn trigger(body: &str) -> String {
    format!(
        "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
         CREATE TRIGGER boom BEFORE UPDATE ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION boom();
         SELECT task('e1', status => 'dispatched')"
    )
}

/// Compares the error of a statement of a user with that of a call, where a trigger runs this code.
fn same_by_trigger(context: &Context, name: &str, body: &str, sqlstate: &str) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(FULL)?;
    client.batch_execute(&trigger(body))?;
    let plain = error_of(&mut client, PLAIN)?;
    let through = error_of(&mut client, START)?;
    ensure!(plain.code().code() == sqlstate, "{plain:?}");
    ensure_same(name, &plain, &through, None)
}

pub fn exception_handler_sees_every_field(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(FULL)?;
    client.batch_execute(&trigger("PERFORM full_error();"))?;
    client.batch_execute(
        "DO $do$
         DECLARE
             code text; message text; detail text; hint text; of_schema text; of_table text; of_column text; of_type text;
             of_constraint text; context text; fields text[];
         BEGIN
             PERFORM multica_start('00000000-0000-4000-8000-0000000000e1');
         EXCEPTION WHEN OTHERS THEN
             GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
                 hint = PG_EXCEPTION_HINT, of_schema = SCHEMA_NAME, of_table = TABLE_NAME, of_column = COLUMN_NAME,
                 of_type = PG_DATATYPE_NAME, of_constraint = CONSTRAINT_NAME, context = PG_EXCEPTION_CONTEXT;
             fields := ARRAY[code, message, detail, hint, of_schema, of_table, of_column, of_type, of_constraint];
             ASSERT fields = '{MY001,no,because,do not,s,t,c,d,k}', fields;
             ASSERT context ~ ('^PL/pgSQL function full_error\\(\\) line \\d+ at RAISE
SQL statement \"SELECT full_error\\(\\)\"
PL/pgSQL function boom\\(\\) line \\d+ at PERFORM
SQL statement \"UPDATE agent_task_queue[^\"]*\"
SQL statement \"SELECT multica_start\\(''[-0-9a-f]*''\\)\"
PL/pgSQL function inline_code_block line \\d+ at PERFORM$'), context;
         END $do$",
    )?;
    Ok(())
}

/// PL/pgSQL raises a caught error again without calling the callbacks for the context.
pub fn reraised_error_keeps_every_field(context: &Context) -> Result<()> {
    let body = "
        BEGIN
            PERFORM full_error();
        EXCEPTION WHEN OTHERS THEN
            BEGIN
                PERFORM 1 / 0;
            EXCEPTION WHEN division_by_zero THEN NULL;
            END;
            RAISE;
        END;";
    same_by_trigger(context, "raised again", body, "MY001")
}

pub fn nested_call_keeps_error(context: &Context) -> Result<()> {
    let own = "PERFORM multica_start('00000000-0000-4000-8000-0000000000ff');";
    same_by_trigger(context, "own error of the inner call", own, "P0002")?;
    let foreign = "
        IF pg_trigger_depth() = 1 THEN
            PERFORM task('e2', status => 'dispatched'), multica_start('00000000-0000-4000-8000-0000000000e2');
        ELSE
            PERFORM full_error();
        END IF;";
    same_by_trigger(context, "error of a trigger below the inner call", foreign, "MY001")
}

/// A hook of the library runs when any session plans any statement.
pub fn planning_error_of_user_statement_is_kept(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(FULL)?;
    client.batch_execute("ALTER FUNCTION full_error IMMUTABLE")?;
    let error = error_of(&mut client, "SELECT full_error()")?;
    let found = (error.code().code(), error.constraint(), error.datatype(), error.where_());
    let context = "PL/pgSQL function full_error() line 2 at RAISE";
    let expected = ("MY001", Some("k"), Some("d"), Some(context));
    ensure!(found == expected, "{found:?} is not {expected:?}");
    Ok(())
}
