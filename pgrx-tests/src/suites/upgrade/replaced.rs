//! Functions that an update replaces by functions with other arguments.

use anyhow::{Context as _, Result, ensure};

use super::support::{ROLES, UPDATE, cluster, current, database_of_release, refusal};
use crate::cluster::Options;
use crate::context::Context;
use crate::release;

/// The functions, with their former arguments.
const REPLACED: [&str; 7] = [
    "multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid)",
    "multica_set_runtime_offline(uuid)",
    "multica_deregister(uuid[])",
    "multica_delete_runtime(uuid)",
    "multica_heartbeat(uuid, uuid[])",
    "multica_claim(uuid, integer)",
    "multica_recover_orphans(uuid, uuid[])",
];

/// A view depends on the function that it calls. The update is refused until the user has dropped the view, and names
/// it; views on other functions do not matter.
pub fn view_on_replaced_function_is_named(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("views"))?;
    let current = current(&cluster)?;
    for release in release::all(&context.project)?.iter().filter(|it| it.version != current) {
        let database = context.empty_database_in(&cluster)?;
        let mut client = database.connect()?;
        client.batch_execute(&format!(
            "CREATE EXTENSION multica VERSION '{}'; CREATE SCHEMA of_user;
             CREATE VIEW of_user.others AS SELECT * FROM multica_list_runtimes(gen_random_uuid())",
            release.version
        ))?;
        for function in REPLACED {
            let (name, types) = function.trim_end_matches(')').split_once('(').context("a function has arguments")?;
            let nulls: Vec<String> = types.split(", ").map(|kind| format!("NULL::{kind}")).collect();
            let view = format!("CREATE VIEW of_user.calls AS SELECT {name}({})", nulls.join(", "));
            client.batch_execute(&view).context(view)?;
            let error = refusal(&mut client, "ALTER EXTENSION multica UPDATE")?;
            let hint = error.hint().unwrap_or_default();
            ensure!(
                error.code().code() == "2BP01" && error.message().contains(name) && hint.contains("view of_user.calls"),
                "{error:?}"
            );
            ensure!(!hint.contains("others"), "the hint names a view that need not be dropped: {hint}");
            client.batch_execute("DROP VIEW of_user.calls")?;
        }
        client.batch_execute(UPDATE)?;
    }
    Ok(())
}

/// A dump leaves out the privileges that a script of an extension has granted. Those of the replaced functions were
/// granted by a user before, so they must be in it.
pub fn dump_has_privileges_on_replaced_functions(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("dumped"))?;
    let current = current(&cluster)?;
    for release in release::all(&context.project)?.iter().filter(|it| it.version != current) {
        let database = database_of_release(context, &cluster, release)?;
        let mut client = database.connect()?;
        client.batch_execute(UPDATE)?;
        let dump = cluster.run("pg_dump", &["--dbname", &database.name])?;
        for function in REPLACED {
            let name = function.split('(').next().unwrap_or(function);
            let sql = "SELECT has_function_privilege($1, p.oid, 'EXECUTE') FROM pg_proc AS p WHERE p.proname = $2";
            for (_, role) in ROLES {
                let may_call: bool = client.query_one(sql, &[&role, &name])?.get(0);
                let granted = dump.lines().any(|line| {
                    line.starts_with(&format!("GRANT ALL ON FUNCTION public.{name}("))
                        && line.ends_with(&format!(" TO {role};"))
                });
                ensure!(may_call == granted, "{role} may call {name}: {may_call}, after a restore: {granted}");
                let is_daemons = name != "multica_delete_runtime";
                let expected = role == "old_operator" || (role == "old_daemon" && is_daemons);
                ensure!(may_call == expected, "{role} may call {name}: {may_call}");
            }
        }
    }
    Ok(())
}
