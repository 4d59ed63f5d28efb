//! Whether every function that the catalogue has runs in the layer.

use anyhow::{Result, ensure};

use super::compare::error_of;
use crate::context::Context;
use crate::suites::errors::{good_arguments, routines};
use crate::suites::support::team;

/// A role that may call everything and see nothing, catalogues included: each function fails in its first statement,
/// whose text the layer alone passes on.
pub fn every_function_adds_error_context(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let role = format!("{}_blind", database.name);
    client.batch_execute("SELECT task('e1', status => 'running')")?;
    let mut routines = routines(&mut client)?;
    // It reads the state of its session only, so that nothing can be refused below it.
    routines.retain(|routine| routine.name != "multica_can_commit");
    client.batch_execute(&format!(
        "CREATE ROLE {role};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {role};
         REVOKE SELECT ON ALL TABLES IN SCHEMA pg_catalog FROM PUBLIC;
         SET ROLE {role}"
    ))?;
    let mut without = Vec::new();
    for routine in &routines {
        let error = error_of(&mut client, &routine.call(&good_arguments(routine)?))?;
        let context = error.where_().unwrap_or_default();
        if error.code().code() != "42501" || !context.starts_with("SQL statement \"") {
            without.push(format!("{}: {error:?}", routine.name));
        }
    }
    client.batch_execute(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"))?;
    ensure!(without.is_empty(), "{}", without.join("\n"));
    Ok(())
}
