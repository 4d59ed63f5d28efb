//! multica_revoke(): what a capability granted is taken away, and nothing that another capability needs.

use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use postgres::{Client, NoTls};

use super::support::{CAPABILITIES, attempt, grant, grants, holder, role, story, world, world_with_policies};
use crate::context::Context;
use crate::database::Database;
use crate::suites::support::{expect, values};

/// A database in which roles have the privileges on the tables that earlier versions granted.
fn with_earlier_grants(context: &Context) -> Result<(Database<'_>, Vec<String>)> {
    let database = world_with_policies(context)?;
    let roles = CAPABILITIES.map(|capability| holder(&database, capability));
    let roles = roles.into_iter().collect::<Result<Vec<_>>>()?;
    let mut superuser = database.connect()?;
    for table in values(&mut superuser, "SELECT quote_ident(relname) FROM pg_class WHERE relrowsecurity")? {
        superuser.batch_execute(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"))?;
    }
    Ok((database, roles))
}

fn revoke(client: &mut Client, role: &str, capability: &str) -> Result<()> {
    Ok(client.batch_execute(&format!("SELECT multica_revoke('{role}', '{capability}')"))?)
}

fn executable(client: &mut Client, role: &str) -> Result<Vec<String>> {
    values(
        client,
        &format!(
            "SELECT p.proname FROM pg_proc AS p, aclexplode(p.proacl) AS a
             WHERE a.grantee = '{role}'::regrole ORDER BY 1"
        ),
    )
}

/// Status lists the roles of earlier versions. After multica_revoke and multica_grant they have no privilege on a table,
/// and their calls work.
pub fn earlier_grants_are_listed_and_taken_away(context: &Context) -> Result<()> {
    let (database, roles) = with_earlier_grants(context)?;
    let mut superuser = database.connect()?;
    let listed = "SELECT unnest(table_grants) FROM multica_status() ORDER BY 1";
    let mut expected: Vec<String> =
        CAPABILITIES.iter().zip(&roles).map(|(capability, role)| format!("{capability} {role}")).collect();
    expected.sort();
    ensure!(values(&mut superuser, listed)? == expected, "{:?}", values(&mut superuser, listed)?);
    for (capability, role) in CAPABILITIES.iter().zip(&roles) {
        ensure!(grants(&mut superuser, role)?.len() > 10, "{role} has no earlier grants");
        revoke(&mut superuser, role, capability)?;
        let left = grants(&mut superuser, role)?;
        ensure!(left.is_empty(), "{role} keeps {left:?}");
        let left = executable(&mut superuser, role)?;
        ensure!(left.is_empty(), "{role} may call {left:?}");
        grant(&mut superuser, role, capability)?;
        let refused = attempt(&mut database.connect_as(role)?, &story(context, capability)?)?;
        ensure!(refused.is_none(), "{capability}: {refused:?}");
        ensure!(grants(&mut superuser, role)?.is_empty(), "{role} was granted privileges on tables");
    }
    expect(&mut superuser, "SELECT table_grants FROM multica_status()", "{}")
}

/// A role loses only one of its two capabilities, with and without row-level security.
pub fn other_capability_is_kept(context: &Context) -> Result<()> {
    for database in [world(context)?, world_with_policies(context)?] {
        let both = holder(&database, "reader")?;
        let mut superuser = database.connect()?;
        grant(&mut superuser, &both, "daemon")?;
        for (kept, other) in [("reader", "daemon"), ("daemon", "reader")] {
            grant(&mut superuser, &both, other)?;
            revoke(&mut superuser, &both, other)?;
            let mut client = database.connect_as(&both)?;
            let refused = attempt(&mut client, &story(context, kept)?)?;
            ensure!(refused.is_none(), "{kept}: {refused:?}");
            let called = attempt(&mut client, &story(context, other)?)?;
            ensure!(called.is_some(), "{other} was not revoked");
            grant(&mut superuser, &both, other)?;
            revoke(&mut superuser, &both, kept)?;
        }
    }
    Ok(())
}

/// Runs a statement as a superuser and returns the messages of its notices, with details.
fn notices(database: &Database, sql: &str) -> Result<Vec<String>> {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&messages);
    let mut client = database
        .cluster()
        .config(&database.name)
        .notice_callback(move |notice| {
            let text = format!("{}: {}", notice.message(), notice.detail().unwrap_or_default());
            collected.lock().unwrap().push(text);
        })
        .connect(NoTls)?;
    client.batch_execute(sql)?;
    Ok(messages.lock().unwrap().clone())
}

/// Nothing happens to a role without the capability, to an operator that is to lose a part of it, and to the owner of the
/// tables; a NOTICE says so.
pub fn role_without_capability_is_left_alone(context: &Context) -> Result<()> {
    let database = world(context)?;
    let mut superuser = database.connect()?;
    let (nobody, operator) = (role(&database, "nobody")?, holder(&database, "operator")?);
    let may_call = executable(&mut superuser, &operator)?;
    let found = notices(&database, &format!("SELECT multica_revoke('{nobody}', 'daemon')"))?;
    ensure!(found == [format!("{nobody} does not have the capability daemon, so nothing is revoked: ")], "{found:?}");
    let found = notices(&database, &format!("SELECT multica_revoke('{operator}', 'daemon')"))?;
    ensure!(
        found.len() == 1 && found[0].ends_with("It has the capability operator, which includes daemon."),
        "{found:?}"
    );
    ensure!(executable(&mut superuser, &operator)? == may_call, "an operator has lost functions");
    let found = notices(&database, "SELECT multica_revoke('postgres', 'operator')")?;
    ensure!(found.len() == 1, "{found:?}");
    Ok(())
}

/// What another role granted remains, and a NOTICE names it.
pub fn grants_of_other_roles_remain(context: &Context) -> Result<()> {
    let database = world(context)?;
    let mut superuser = database.connect()?;
    let (daemon, other) = (holder(&database, "daemon")?, role(&database, "other")?);
    superuser.batch_execute(&format!(
        "GRANT EXECUTE ON FUNCTION multica_start TO {other} WITH GRANT OPTION;
         GRANT SELECT ON issue TO {other} WITH GRANT OPTION"
    ))?;
    database.connect_as(&other)?.batch_execute(&format!(
        "GRANT EXECUTE ON FUNCTION multica_start TO {daemon}; GRANT SELECT ON issue TO {daemon}"
    ))?;
    let found = notices(&database, &format!("SELECT multica_revoke('{daemon}', 'daemon')"))?;
    let expected = format!(
        "{daemon} keeps privileges that other roles granted: SELECT on issue, granted by {other}; EXECUTE on multica_start, granted by {other}."
    );
    ensure!(found == [expected], "{found:?}");
    ensure!(executable(&mut superuser, &daemon)? == ["multica_start"], "{:?}", executable(&mut superuser, &daemon)?);
    Ok(())
}
