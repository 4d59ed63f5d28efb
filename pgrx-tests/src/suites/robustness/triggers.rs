//! Triggers of the tables' owner.

use anyhow::Result;

use super::routine::world;
use crate::context::Context;
use crate::suites::support::{expect_state, id};

/// Somebody's BEFORE trigger keeps a runtime out of the table, or makes another provider of it: 55000, and nothing is
/// written.
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
