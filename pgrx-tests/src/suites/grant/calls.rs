//! The calls that each capability allows, and the calls that it does not allow.

use anyhow::{Context as _, Result, ensure};

use super::support::{CAPABILITIES, attempt, grants, holder, role, routines, story, world, world_with_policies};
use crate::context::Context;
use crate::suites::support::OF_ADMINISTRATORS;

/// A capability suffices for its functions, and includes no privilege on a table.
pub fn each_capability_suffices_for_its_calls(context: &Context) -> Result<()> {
    let database = world(context)?;
    let all = routines(&mut database.connect()?)?;
    // An operator may call everything. The calls of the other capabilities are not listed again, and some functions are
    // tested separately.
    let calls_of_others = story(context, "reader")? + &story(context, "daemon")?;
    let is_covered = |name: &str| {
        calls_of_others.contains(&format!("{name}("))
            || OF_ADMINISTRATORS.contains(&name)
            || name == "multica_sweep_all"
    };
    for capability in CAPABILITIES {
        let calls = story(context, capability)?;
        let role = holder(&database, capability)?;
        let held = grants(&mut database.connect()?, &role)?;
        ensure!(held.is_empty(), "a {capability} was granted {held:?}");
        let mut client = database.connect_as(&role)?;
        let refused = attempt(&mut client, &calls)?;
        ensure!(refused.is_none(), "{capability}: {refused:?}");
        for routine in &all {
            let may: bool = client
                .query_one(
                    "SELECT bool_or(has_function_privilege(oid, 'EXECUTE')) FROM pg_proc WHERE proname = $1",
                    &[&routine.name],
                )?
                .get(0);
            let is_called = calls.contains(&format!("{}(", routine.name));
            ensure!(
                !may || is_called || (capability == "operator" && is_covered(&routine.name)),
                "the fixture of capability {capability} does not call {}",
                routine.name
            );
        }
    }
    let mut operator = database.connect_as(&format!("{}_operator", database.name))?;
    for other in ["reader", "daemon"] {
        let refused = attempt(&mut operator, &story(context, other)?)?;
        ensure!(refused.is_none(), "operator as {other}: {refused:?}");
    }
    operator.batch_execute("CALL multica_sweep_all()").context("an operator cannot sweep")
}

/// A call with NULLs raises 42501 exactly for a role that may not call the function.
pub fn role_cannot_call_functions_of_other_capabilities(context: &Context) -> Result<()> {
    let database = world(context)?;
    let all = routines(&mut database.connect()?)?;
    let mut roles: Vec<(String, String)> = vec![(role(&database, "nobody")?, String::new())];
    for capability in ["reader", "daemon"] {
        roles.push((holder(&database, capability)?, story(context, capability)?));
    }
    for (role, calls) in roles {
        let mut client = database.connect_as(&role)?;
        for routine in &all {
            let is_allowed = calls.contains(&format!("{}(", routine.name));
            let outcome = attempt(&mut client, &routine.call)?;
            let refused = outcome
                .as_ref()
                .is_some_and(|(code, message)| code == "42501" && message.contains("permission denied for"));
            ensure!(refused != is_allowed, "{role}, {}: {outcome:?}", routine.call);
        }
    }
    Ok(())
}

/// Columns that a sweep writes only after an outage, or in a server's tables.
const RARELY_NEEDED: [&str; 4] = ["held_since", "timeline", "finished_to", "finished_id"];

/// With row-level security, calls run with the privileges of their caller. Revokes each privilege separately. Without
/// it, some call must be refused.
pub fn every_granted_privilege_is_needed(context: &Context) -> Result<()> {
    let database = world_with_policies(context)?;
    let mut superuser = database.connect()?;
    // Privileges that the other capabilities need; an operator needs them too.
    let mut needed: Vec<String> = Vec::new();
    for capability in CAPABILITIES {
        let role = holder(&database, capability)?;
        let calls = story(context, capability)?;
        let mut client = database.connect_as(&role)?;
        let granted = grants(&mut superuser, &role)?;
        ensure!(granted.len() > 10, "a {capability} was granted only {granted:?}");
        let refused = attempt(&mut client, &calls)?;
        ensure!(refused.is_none(), "{capability}: {refused:?}");
        for privilege in &granted {
            let is_rare = RARELY_NEEDED.iter().any(|column| privilege.contains(column));
            if is_rare || capability == "operator" && needed.contains(privilege) {
                continue;
            }
            superuser.batch_execute(&format!("REVOKE {privilege} FROM {role}"))?;
            let refused = attempt(&mut client, &calls)?;
            ensure!(
                refused.as_ref().is_some_and(|(code, _)| code == "42501"),
                "a {capability} does not need {privilege}: {refused:?}"
            );
            superuser.batch_execute(&format!("GRANT {privilege} TO {role}"))?;
        }
        needed.extend(granted);
    }
    Ok(())
}

/// No capability may read the environment of agents, which contains tokens.
pub fn no_capability_reads_agent_secrets(context: &Context) -> Result<()> {
    let database = world(context)?;
    for capability in CAPABILITIES {
        let mut client = database.connect_as(&holder(&database, capability)?)?;
        for sql in [
            "SELECT custom_env FROM agent",
            "SELECT mcp_config FROM agent",
            "SELECT * FROM \"user\"",
            "SELECT content FROM comment",
            "DELETE FROM agent_task_queue",
            "UPDATE agent_task_queue SET attempt = 1",
            "TRUNCATE multica_event_log",
        ] {
            let outcome = attempt(&mut client, sql)?;
            ensure!(outcome.as_ref().is_some_and(|(code, _)| code == "42501"), "{capability}, {sql}: {outcome:?}");
        }
    }
    Ok(())
}
