//! Functions that an update replaces by functions with other arguments.

use anyhow::{Context as _, Result, ensure};

use super::support::{ROLES, UPDATE, cluster, current, database_of_release, refusal};
use crate::cluster::Options;
use crate::context::Context;
use crate::release;

/// The functions, with their former arguments.
const REPLACED: [&str; 9] = [
    "multica_upsert_runtime(uuid, text, text, text, text, text, text, jsonb, uuid)",
    "multica_set_runtime_offline(uuid)",
    "multica_deregister(uuid[])",
    "multica_delete_runtime(uuid)",
    "multica_heartbeat(uuid, uuid[])",
    "multica_claim(uuid, integer)",
    "multica_recover_orphans(uuid, uuid[])",
    "multica_events(bigint, integer)",
    "multica_take_events(text, integer)",
];

/// Objects of each kind that can call a function: the statement that creates one, how the error names it, and the
/// statement that drops it.
const USERS: [(&str, &str, &str); 8] = [
    (
        "CREATE MATERIALIZED VIEW of_user.calls AS SELECT multica_deregister('{}') WITH NO DATA",
        "materialized view of_user.calls",
        "DROP MATERIALIZED VIEW of_user.calls",
    ),
    (
        "CREATE RULE calls AS ON INSERT TO of_user.machines DO ALSO SELECT multica_deregister('{}')",
        "rule calls on table of_user.machines",
        "DROP RULE calls ON of_user.machines",
    ),
    (
        "CREATE FUNCTION of_user.calls() RETURNS bigint BEGIN ATOMIC SELECT multica_deregister('{}'); END",
        "function of_user.calls()",
        "DROP FUNCTION of_user.calls",
    ),
    (
        "ALTER TABLE of_user.machines ALTER went SET DEFAULT multica_deregister('{}')",
        "default value for column went of table of_user.machines",
        "ALTER TABLE of_user.machines ALTER went DROP DEFAULT",
    ),
    (
        "ALTER TABLE of_user.machines ADD CONSTRAINT calls CHECK (multica_deregister('{}') >= 0)",
        "constraint calls on table of_user.machines",
        "ALTER TABLE of_user.machines DROP CONSTRAINT calls",
    ),
    (
        "CREATE TRIGGER calls BEFORE INSERT ON of_user.machines FOR EACH ROW WHEN (multica_deregister('{}') >= 0)
             EXECUTE FUNCTION of_user.nothing()",
        "trigger calls on table of_user.machines",
        "DROP TRIGGER calls ON of_user.machines",
    ),
    (
        "CREATE POLICY calls ON of_user.machines USING (multica_deregister('{}') >= 0)",
        "policy calls on table of_user.machines",
        "DROP POLICY calls ON of_user.machines",
    ),
    (
        "CREATE OPERATOR of_user.! (FUNCTION = multica_deregister, RIGHTARG = uuid[])",
        "operator of_user.!(NONE,uuid[])",
        "DROP OPERATOR of_user.! (NONE, uuid[])",
    ),
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

/// Not only views call functions. A generated column and an index cannot, because none of the functions is immutable.
pub fn every_kind_of_user_of_replaced_function_is_named(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("users"))?;
    let releases = release::all(&context.project)?;
    let database = context.empty_database_in(&cluster)?;
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "CREATE EXTENSION multica VERSION '{}'; CREATE SCHEMA of_user;
         CREATE TABLE of_user.machines (name text, went bigint);
         CREATE FUNCTION of_user.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        releases.first().context("there is a release")?.version
    ))?;
    for (create, name, drop) in USERS {
        client.batch_execute(create).context(create)?;
        let error = refusal(&mut client, "ALTER EXTENSION multica UPDATE")?;
        let hint = error.hint().unwrap_or_default();
        ensure!(
            error.code().code() == "2BP01" && hint.starts_with(&format!("Drop {name}, run ALTER")),
            "{create}: {error:?}"
        );
        client.batch_execute(drop).context(drop)?;
    }
    Ok(client.batch_execute(UPDATE)?)
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
                let holder = match name {
                    "multica_delete_runtime" => "old_operator",
                    "multica_events" | "multica_take_events" => "old_reader",
                    _ => "old_daemon",
                };
                let expected = role == "old_operator" || role == holder;
                ensure!(may_call == expected, "{role} may call {name}: {may_call}");
            }
        }
    }
    Ok(())
}
