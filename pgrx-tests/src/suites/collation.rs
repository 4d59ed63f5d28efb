//! Daemon ids are compared in the same way under every locale.

use anyhow::Result;

use super::Suite;
use super::support::{expect, id};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![turkish_locale_ignores_case_of_daemon_ids];

/// In Turkish the lower case of `I` is `ı`, and `İ` is the upper case of `i`.
fn turkish_locale_ignores_case_of_daemon_ids(context: &Context) -> Result<()> {
    let cluster = context.shared()?;
    let mut postgres = cluster.connect("postgres")?;
    let name = "turkish_hosts";
    postgres.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))?;
    postgres.batch_execute(&format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'"
    ))?;
    let mut client = cluster.connect(name)?;
    expect(&mut client, "SELECT lower('I')", "ı")?;
    client.batch_execute(&format!(
        "CREATE EXTENSION multica; SELECT FROM multica_install();
         INSERT INTO workspace (id, name, slug) VALUES ({a1}, 'Fleet', 'fleet');
         SELECT FROM multica_upsert_runtime({a1}, 'BUILD-I', 'x', 'local', 'claude', 'online')",
        a1 = id("a1")
    ))?;
    let found = format!("SELECT count(*) FROM multica_find_legacy_runtimes({}, 'claude', 'build-i')", id("a1"));
    expect(&mut client, &found, "1")?;
    let registration =
        r#"{"daemon_id": "build-i", "legacy_daemon_ids": ["BUILD-I"], "runtimes": [{"type": "claude"}]}"#;
    let register = format!("SELECT merged FROM multica_register({}, '{registration}')", id("a1"));
    expect(&mut client, &register, "1")?;
    drop(client);
    postgres.batch_execute(&format!("DROP DATABASE {name}"))?;
    Ok(())
}
