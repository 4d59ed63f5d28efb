//! Triggers that users add to the tables.

use anyhow::Result;

use super::routine::world;
use crate::context::Context;
use crate::suites::support::{expect_state, id};

/// A user's BEFORE trigger skips the row of a runtime, or changes its provider. The call then raises 55000 and writes
/// nothing.
pub fn trigger_that_skips_rows_causes_no_internal_error(context: &Context) -> Result<()> {
    let (_database, mut client) = world(context)?;
    let workspace = id("a1");
    let upsert = format!("SELECT multica_upsert_runtime({workspace}, 'd', 'n', 'local', 'Claude', 'online')");
    let register = format!(
        r#"SELECT multica_register({workspace}, '{{"daemon_id": "D", "legacy_daemon_ids": ["machine-1"], "runtimes": [{{"type": "claude"}}]}}')"#
    );
    client.batch_execute(
        "CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER keep_out BEFORE INSERT OR UPDATE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION keep_out();",
    )?;
    expect_state(&mut client, &upsert, "55000")?;
    expect_state(&mut client, &register, "55000")?;
    client.batch_execute(
        "CREATE OR REPLACE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql
         AS 'BEGIN NEW.provider := upper(NEW.provider); RETURN NEW; END'",
    )?;
    expect_state(&mut client, &register, "55000")
}
