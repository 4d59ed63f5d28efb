//! Restore of a dump into a freshly initialised cluster.

use anyhow::{Result, ensure};

use super::Suite;
use super::support::{digest, expect, id, value, values};
use crate::cluster::Options;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![events_continue_after_restore_in_new_cluster];

/// The dump contains event ids, positions of readers and the last trimmed id. Transaction ids of the old cluster are
/// meaningless in the new one, and readers must not depend on them.
fn events_continue_after_restore_in_new_cluster(context: &Context) -> Result<()> {
    let old = context.cluster(&Options::new("old"))?;
    let database = context.fresh_database_in(&old)?;
    database.fixture("dead_machine")?;
    let mut client = database.connect()?;
    client.batch_execute("SELECT * FROM multica_sweep()")?;
    client.batch_execute(
        "SELECT * FROM multica_take_events('mirror', 5);
         UPDATE multica_event_log SET created_at = now() - interval '8 days' WHERE id <= 3; SELECT * FROM multica_sweep()",
    )?;
    let kept = values(&mut client, "SELECT id FROM multica_events(3)")?;
    ensure!(kept.len() > 10 && kept[0] == "4", "kept {kept:?}");
    let before = digest(context, &database)?;
    let script = old.run("pg_dump", &["--dbname", &database.name])?;
    let file = old.socket_folder().join("dump.sql");
    std::fs::write(&file, script)?;

    let new = context.cluster(&Options::new("new"))?;
    let restored = context.empty_database_in(&new)?;
    let copy = new.socket_folder().join("dump.sql");
    std::fs::copy(&file, &copy)?;
    let copy = copy.display().to_string();
    new.run(
        "psql",
        &["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &restored.name, "--file", &copy],
    )?;
    ensure!(before == digest(context, &restored)?, "the restored rows differ");

    let mut client = restored.connect()?;
    ensure!(
        values(&mut client, "SELECT id FROM multica_events(3)")? == kept,
        "the restored events differ before the first new event"
    );
    let rest = values(&mut client, "SELECT id FROM multica_take_events('mirror')")?;
    ensure!(rest == kept[2..], "the named reader does not continue at its position: {rest:?}");
    let last = value(&mut client, "SELECT max(id) FROM multica_event_log")?;
    client.batch_execute(&format!("SELECT multica_set_runtime_offline({})", id("b2")))?;
    expect(
        &mut client,
        &format!("SELECT id > {last}, payload ->> 'action' FROM multica_take_events('mirror')"),
        "t deregister",
    )?;
    client.batch_execute("SELECT * FROM multica_install()")?;
    expect(&mut client, "SELECT tasks_failed, more FROM multica_sweep()", "0 f")
}
