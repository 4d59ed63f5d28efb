//! Hints of errors for a role that may call a function but lacks privileges on its tables.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;
use postgres::error::DbError;

use super::support::give_tables;
use crate::context::Context;
use crate::suites::errors::{good_arguments, routines};
use crate::suites::support::{OF_ADMINISTRATORS, id, team};

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

/// With row-level security, calls run with the privileges of their caller. For every function, the hint names the
/// function and the capabilities that may call it, and a grant of any of these capabilities removes the error.
pub fn hint_names_sufficient_capability(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    database.fixture("row_security/policies")?;
    let role = format!("{}_nobody", database.name);
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running');
         CREATE ROLE {role};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {role}"
    ))?;
    let (mut wrong, mut solved) = (Vec::new(), 0);
    for routine in routines(&mut client)? {
        // It cannot be called in a transaction block, and calls multica_install.
        if routine.name == "multica_install_all" {
            continue;
        }
        let call = routine.call(&good_arguments(&routine)?);
        let Some(error) = called_as(&mut client, &role, "", &call)? else {
            continue;
        };
        ensure!(error.code().code() == "42501", "{call}: {error:?}");
        let hint = error.hint().unwrap_or_default();
        // No capability suffices for these. The hint names the role to run them as.
        if OF_ADMINISTRATORS.contains(&routine.name.as_str()) {
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

/// The tables were reassigned to another role. Calls act as the new owner at once, and an error about a privilege that
/// the new owner lacks has a hint that restores it.
pub fn hint_after_reassign_owned_restores_access(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let [former, owner, daemon] = ["former", "owner", "daemon"].map(|it| format!("{}_{it}", database.name));
    client.batch_execute(&format!(
        "CREATE ROLE {former}; CREATE ROLE {owner}; CREATE ROLE {daemon};
         SELECT multica_grant('{daemon}', 'daemon')"
    ))?;
    give_tables(&mut client, &former)?;
    client.batch_execute(&format!("REASSIGN OWNED BY {former} TO {owner}"))?;
    let sweep = "SELECT FROM multica_sweep()";
    let error = called_as(&mut client, &former, "", sweep)?;
    ensure!(error.is_none(), "the former owner may still call functions: {error:?}");
    let error =
        called_as(&mut client, &owner, "", sweep)?.context("the new owner may call functions before install")?;
    ensure!(error.message() == "permission denied for function multica_sweep", "{error:?}");
    let error = called_as(&mut client, &owner, "SELECT FROM multica_install()", sweep)?;
    ensure!(error.is_none(), "after install: {error:?}");
    client.batch_execute(&format!("SELECT FROM multica_install(); REVOKE SELECT ON agent_runtime FROM {owner}"))?;
    let set_offline = format!("SELECT multica_set_runtime_offline({})", id("b1"));
    let calls = [(&daemon, set_offline.as_str()), (&former, sweep), (&owner, sweep)];
    let mut hints = Vec::new();
    for (role, call) in calls {
        let error = called_as(&mut client, role, "", call)?;
        let error = error.with_context(|| format!("{role} calls although the owner lacks a privilege"))?;
        let hint = error.hint().unwrap_or_default().to_string();
        ensure!(hint.contains("owner of the tables"), "{role}: {error:?}");
        hints.push(hint);
    }
    run_hint(&mut client, &hints[0], &owner)?;
    for (role, call) in calls {
        let error = called_as(&mut client, role, "", call)?;
        ensure!(error.is_none(), "{role}: {error:?}");
    }
    Ok(())
}
