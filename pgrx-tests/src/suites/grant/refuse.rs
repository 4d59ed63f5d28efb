//! Refused, quoted and concurrent calls of multica_grant.

use anyhow::{Context as _, Result, ensure};

use super::support::{attempt, holder, role, world, world_with_policies};
use crate::context::Context;

/// Each bad argument has its SQLSTATE, and the message names it.
pub fn bad_arguments_are_refused(context: &Context) -> Result<()> {
    let database = world(context)?;
    let one = role(&database, "one")?;
    let mut client = database.connect()?;
    for (call, code, names) in [
        ("NULL, 'reader'".to_string(), "22004", "grantee"),
        (format!("'{one}', NULL"), "22004", "capability"),
        (format!("'{one}', 'admin'"), "22023", "'admin'"),
        (format!("'{one}', 'Reader'"), "22023", "'Reader'"),
        ("'no_such_role', 'reader'".to_string(), "42704", "no_such_role"),
        ("'4294967290', 'reader'".to_string(), "P0002", "4294967290"),
        ("'-', 'reader'".to_string(), "P0002", "role"),
    ] {
        for function in ["multica_grant", "multica_revoke"] {
            let (found, message) = attempt(&mut client, &format!("SELECT {function}({call})"))?
                .with_context(|| format!("{function}({call}) was not refused"))?;
            ensure!(found == code && message.contains(names), "{function}({call}): {found} {message}");
        }
    }
    Ok(())
}

/// An operator may call multica_grant and multica_revoke, but the call is refused with a detail that names the owner.
pub fn only_owner_and_superuser_grant(context: &Context) -> Result<()> {
    let database = world(context)?;
    let (operator, other) = (holder(&database, "operator")?, role(&database, "other")?);
    let mut client = database.connect_as(&operator)?;
    for verb in ["grant", "revoke"] {
        let error = client
            .batch_execute(&format!("SELECT multica_{verb}('{other}', 'reader')"))
            .expect_err("an operator granted or revoked a capability");
        let error = error.as_db_error().context("no error of the server")?;
        ensure!(error.code().code() == "42501", "{error:?}");
        ensure!(
            error.message() == format!("{operator} is not allowed to {verb} privileges on the functions of multica"),
            "{error:?}"
        );
        ensure!(error.detail().is_some_and(|text| text.contains("postgres")), "{error:?}");
    }
    Ok(())
}

/// A name that needs quotes is quoted by multica_grant, and by install when it completes grants.
pub fn role_names_are_quoted(context: &Context) -> Result<()> {
    let database = world_with_policies(context)?;
    let mut superuser = database.connect()?;
    let name = format!("O'Hara's \"{}\"; --", database.name);
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    superuser.batch_execute(&format!("CREATE ROLE {quoted} LOGIN"))?;
    superuser.execute("SELECT multica_grant($1::text::regrole, 'daemon')", &[&quoted])?;
    superuser.batch_execute(&format!("REVOKE ALL ON agent_task_queue FROM {quoted}"))?;
    superuser.batch_execute("SELECT FROM multica_install()")?;
    let mut client = database.connect_as(&name)?;
    let refused = attempt(&mut client, &super::support::story(context, "daemon")?)?;
    ensure!(refused.is_none(), "{refused:?}");
    superuser.execute("SELECT multica_revoke($1::text::regrole, 'daemon')", &[&quoted])?;
    let held = super::support::grants(&mut superuser, &quoted)?;
    ensure!(held.is_empty(), "{held:?}");
    Ok(())
}

/// Concurrent GRANTs on one object fail with an internal error, so multica_grant must serialize them.
pub fn concurrent_grants_succeed(context: &Context) -> Result<()> {
    let database = world(context)?;
    let roles = [role(&database, "left")?, role(&database, "right")?];
    let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
        let sessions: Vec<_> = roles
            .iter()
            .map(|role| {
                let database = &database;
                scope.spawn(move || -> Result<()> {
                    let mut client = database.connect()?;
                    for _ in 0..10 {
                        super::support::grant(&mut client, role, "reader")?;
                        super::support::grant(&mut client, role, "daemon")?;
                    }
                    Ok(())
                })
            })
            .collect();
        sessions
            .into_iter()
            .map(|session| session.join().unwrap_or_else(|_| anyhow::bail!("a session panicked")))
            .collect()
    });
    outcomes.into_iter().collect()
}
