//! Hints of errors for a role that may call a function but lacks privileges on its tables.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;
use postgres::error::DbError;

use crate::context::Context;
use crate::suites::errors::{good_arguments, routines};
use crate::suites::support::{id, team};

/// Functions for which no capability suffices. Their hint names the role to run them as.
const ONLY_FOR_OWNERS: [&str; 3] = ["multica_grant", "multica_install", "multica_install_all"];

/// Functions in SQL or PL/pgSQL. Their hint is the hint of the function that they call.
const WRAPPERS: [&str; 2] = ["multica_metrics", "multica_sweep_all"];

/// Makes a call as a role, after a statement of a superuser, and rolls both back.
fn called_as(client: &mut Client, role: &str, before: &str, call: &str) -> Result<Option<DbError>> {
    client.batch_execute(&format!("BEGIN; {before}; SET LOCAL ROLE {role}"))?;
    let error = client.batch_execute(call).err();
    client.batch_execute("ROLLBACK")?;
    let error = error.map(|error| error.as_db_error().cloned().context("no error of the server"));
    error.transpose()
}

/// Returns the capabilities that a hint names. They come before the statements that grant one.
fn capabilities_in(hint: &str) -> Option<Vec<&str>> {
    let (_, rest) = hint.split_once(" needs the capability ")?;
    let (capabilities, _) = rest.split_once(", which ")?;
    Some(capabilities.split(" or ").collect())
}

/// For every function, the hint names the function and the capabilities that may call it, and a grant of any of these
/// capabilities removes the error.
pub fn hint_names_sufficient_capability(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let role = format!("{}_nobody", database.name);
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running');
         CREATE ROLE {role};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {role}"
    ))?;
    let (mut wrong, mut solved) = (Vec::new(), 0);
    for routine in routines(&mut client)? {
        let call = routine.call(&good_arguments(&routine)?);
        let Some(error) = called_as(&mut client, &role, "", &call)? else {
            continue;
        };
        ensure!(error.code().code() == "42501", "{call}: {error:?}");
        let hint = error.hint().unwrap_or_default();
        if ONLY_FOR_OWNERS.contains(&routine.name.as_str()) {
            if !hint.contains("as postgres") {
                wrong.push(format!("{}: {hint:?}", routine.name));
            }
            continue;
        }
        let capabilities = capabilities_in(hint).unwrap_or_default();
        let begins = hint.starts_with(&routine.name) || WRAPPERS.contains(&routine.name.as_str());
        if capabilities.is_empty() || !begins {
            wrong.push(format!("{}: {hint:?}", routine.name));
        }
        for capability in capabilities {
            let grant = format!("SELECT multica_grant('{role}', '{capability}')");
            let error = called_as(&mut client, &role, &grant, &call)?;
            if error.as_ref().is_some_and(|it| it.code().code() == "42501") {
                wrong.push(format!("{} as {capability}: {error:?}", routine.name));
            }
            solved += 1;
        }
    }
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(solved > 50, "only {solved} errors had a hint that solved them");
    Ok(())
}

/// Runs the statements after a hint's colon, for this role and schema public.
fn run_hint(client: &mut Client, hint: &str, role: &str) -> Result<()> {
    let (_, statements) = hint.split_once(": ").context("a hint without a statement")?;
    let statements = statements.replace("the_role", role).replace("the_owner", role).replace("the_schema", "public");
    Ok(client.batch_execute(&statements)?)
}

/// The tables were reassigned to another role. The hint for the former owner names the capability, and the hint for a
/// daemon whose call records events names the privilege that the new owner lacks.
pub fn hint_after_reassign_owned_restores_access(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let [former, owner, daemon] = ["former", "owner", "daemon"].map(|it| format!("{}_{it}", database.name));
    client.batch_execute(&format!(
        "CREATE ROLE {former}; CREATE ROLE {owner}; CREATE ROLE {daemon};
         SELECT multica_grant('{daemon}', 'daemon');
         DO $$ DECLARE name regclass; BEGIN
             FOR name IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO {former}', name);
             END LOOP;
         END $$;
         SELECT FROM multica_install();
         REASSIGN OWNED BY {former} TO {owner}"
    ))?;
    let sweep = "SELECT FROM multica_sweep()";
    let error = called_as(&mut client, &former, "", sweep)?.context("the former owner may still sweep")?;
    let hint = error.hint().unwrap_or_default();
    ensure!(capabilities_in(hint) == Some(vec!["operator"]), "{error:?}");
    let error =
        called_as(&mut client, &owner, "", sweep)?.context("the new owner may call functions before install")?;
    ensure!(error.message() == "permission denied for function multica_sweep", "{error:?}");
    let error = called_as(&mut client, &owner, "SELECT FROM multica_install()", sweep)?;
    ensure!(error.is_none(), "after install: {error:?}");
    client.batch_execute(&format!("REVOKE SELECT ON multica_event_reader FROM {owner}"))?;
    let set_offline = format!("SELECT multica_set_runtime_offline({})", id("b1"));
    let lost = called_as(&mut client, &daemon, "", &set_offline)?
        .context("the call succeeded although the owner lacks a privilege")?;
    let owner_hint = lost.hint().unwrap_or_default();
    ensure!(owner_hint.contains("owner of the tables"), "{lost:?}");
    run_hint(&mut client, owner_hint, &owner)?;
    run_hint(&mut client, hint, &former)?;
    for (role, call) in [(&daemon, set_offline.as_str()), (&former, sweep)] {
        let error = called_as(&mut client, role, "", call)?;
        ensure!(error.is_none(), "{role}: {error:?}");
    }
    Ok(())
}
