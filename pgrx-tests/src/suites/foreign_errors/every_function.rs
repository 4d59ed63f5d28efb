//! Every function of the catalogue runs in the layer that passes errors on.

use anyhow::{Result, ensure};

use super::compare::error_of;
use crate::context::Context;
use crate::suites::errors::{good_arguments, routines};
use crate::suites::support::team;

/// The role may call every function and read nothing, not even the catalogue: each function fails in its first
/// statement, and only the layer adds the text of that statement to the context. With row-level security, calls run with
/// the privileges of their caller.
pub fn every_function_adds_error_context(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    database.fixture("row_security/policies")?;
    let role = format!("{}_blind", database.name);
    client.batch_execute("SELECT task('e1', status => 'running')")?;
    let mut routines = routines(&mut client)?;
    // They run no statement that can fail.
    routines.retain(|routine| {
        !["multica_can_commit", "multica_clean", "multica_classify_failure"].contains(&routine.name.as_str())
    });
    client.batch_execute(&format!(
        "CREATE ROLE {role};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {role};
         REVOKE SELECT ON ALL TABLES IN SCHEMA pg_catalog FROM PUBLIC;
         SET ROLE {role}"
    ))?;
    let mut wrong = Vec::new();
    for routine in &routines {
        let error = error_of(&mut client, &routine.call(&good_arguments(routine)?))?;
        let context = error.where_().unwrap_or_default();
        if error.code().code() != "42501" || !context.starts_with("SQL statement \"") {
            wrong.push(format!("{}: {error:?}", routine.name));
        }
    }
    client.batch_execute(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"))?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
