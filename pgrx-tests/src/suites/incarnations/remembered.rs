//! A session remembers where it has found the row of a runtime. What it remembers must never decide instead of the row.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::{FIRST, SECOND, calls_of, refused, register};
use crate::context::Context;
use crate::database::Database;
use crate::suites::grant::support::holder;
use crate::suites::support::{expect, id, start, team};

/// A session in which the first process has called.
fn session_of_first(context: &Context) -> Result<(Database<'_>, Client)> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&register(FIRST, ""))?;
    for call in calls_of(FIRST) {
        client.batch_execute(&call)?;
    }
    Ok((database, client))
}

/// Another session registers the second process. It is not noticed before its commit.
pub fn registration_of_another_session_is_noticed(context: &Context) -> Result<()> {
    let (database, mut client) = session_of_first(context)?;
    let mut other = database.connect()?;
    other.batch_execute(&format!("BEGIN; {}", register(SECOND, "")))?;
    client.batch_execute(&calls_of(FIRST)[2])?;
    other.batch_execute("ROLLBACK")?;
    client.batch_execute(&calls_of(FIRST)[0])?;
    other.batch_execute(&register(SECOND, ""))?;
    for call in calls_of(FIRST) {
        refused(&mut client, &call)?;
    }
    // An older snapshot makes no difference.
    let mut client = database.connect()?;
    client.batch_execute(&calls_of(SECOND)[0])?;
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM workspace")?;
    other.batch_execute(&register("00000000-0000-4000-8000-0000000000fa", ""))?;
    refused(&mut client, &calls_of(SECOND)[0])
}

/// A row that was registered in a transaction that was rolled back is not there any more.
pub fn registration_that_was_rolled_back_does_not_count(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("BEGIN; {}; {}; ROLLBACK", register(FIRST, ""), calls_of(FIRST)[0]))?;
    client.batch_execute(&register(SECOND, ""))?;
    refused(&mut client, &calls_of(FIRST)[0])
}

/// The table is rewritten, emptied, or replaced by another one.
pub fn another_row_at_the_same_place_does_not_count(context: &Context) -> Result<()> {
    let (_database, mut client) = session_of_first(context)?;
    client.batch_execute(&register(SECOND, ""))?;
    client.batch_execute("VACUUM FULL multica_runtime_incarnation")?;
    expect(&mut client, "SELECT ctid FROM multica_runtime_incarnation", "(0,1)")?;
    refused(&mut client, &calls_of(FIRST)[0])?;
    client.batch_execute(&calls_of(SECOND)[0])?;
    client.batch_execute("TRUNCATE multica_runtime_incarnation")?;
    client.batch_execute(&calls_of(FIRST)[0])?;
    client.batch_execute(&register(FIRST, ""))?;
    client.batch_execute(&calls_of(FIRST)[0])?;
    for moved in ["RENAME TO former", "SET SCHEMA elsewhere"] {
        client.batch_execute(&format!(
            "CREATE SCHEMA IF NOT EXISTS elsewhere; ALTER TABLE multica_runtime_incarnation {moved}; SELECT FROM multica_install(); {}",
            register(SECOND, "")
        ))?;
        refused(&mut client, &calls_of(FIRST)[0])?;
        client.batch_execute("DELETE FROM multica_runtime_incarnation")?;
        client.batch_execute(&format!("{}; {}", register(FIRST, ""), calls_of(FIRST)[0]))?;
    }
    Ok(())
}

/// Policies are obeyed although the session knows the row.
pub fn row_that_policies_hide_is_not_used(context: &Context) -> Result<()> {
    let (database, mut client) = session_of_first(context)?;
    let role = holder(&database, "daemon")?;
    let call = &calls_of(FIRST)[0];
    client.batch_execute(&format!("SET ROLE {role}; {call}; RESET ROLE"))?;
    client.batch_execute(&format!(
        "ALTER TABLE multica_runtime_incarnation ENABLE ROW LEVEL SECURITY; SELECT FROM multica_install(); SET ROLE {role}"
    ))?;
    let error = client.batch_execute(call).err().context("a hidden row is used")?;
    let error = error.as_db_error().context("an error of the database")?;
    ensure!(error.constraint() == Some("rows_hidden"), "{error:?}");
    Ok(())
}

/// The runtime is offline, and the heartbeat waits for a registration that is not committed when it checks first.
pub fn heartbeat_that_waits_for_registration_is_refused(context: &Context) -> Result<()> {
    let (database, mut client) = session_of_first(context)?;
    client.batch_execute(&format!("SELECT multica_set_runtime_offline({})", id("b1")))?;
    client.batch_execute(&format!("BEGIN; {}", register(SECOND, "")))?;
    let beat = start(&database, &calls_of(FIRST)[0])?;
    beat.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute("COMMIT")?;
    let error = beat.finish().err().context("the heartbeat of the replaced process succeeds")?;
    ensure!(format!("{error:?}").contains("another process has registered runtime"), "{error:?}");
    Ok(())
}
