//! Adoption of every generation of the server, and the server's migrations in a database that has the extension.

use anyhow::{Context as _, Result, ensure};

use super::support::{all_adopted, install, repair, rows, same, with_action};
use crate::context::Context;
use crate::generations::catalogue::Catalogue;

/// Install changes no row and no object of the server, adds only its own objects, and reports what the rows of the
/// fixture lack. A second install changes nothing.
pub fn every_generation_is_adopted(context: &Context) -> Result<()> {
    for generation in context.generations()?.all() {
        let name = &generation.name;
        let database = context.generation_with_rows(name)?;
        let mut client = database.connect()?;
        client.batch_execute("CREATE EXTENSION multica")?;
        let (before, objects) = (rows(&mut client)?, Catalogue::read(&mut client)?.objects());
        let steps = install(&mut client).with_context(|| format!("generation {name}"))?;
        let created = with_action(&steps, "created");
        let is_own = |object: &&str| object.starts_with("multica_") || object.contains(".multica_");
        ensure!(created.iter().all(is_own), "install created in generation {name}: {created:?}");
        let altered = with_action(&steps, "altered");
        ensure!(altered.is_empty(), "install altered in generation {name}: {altered:?}");
        let missing = with_action(&steps, "missing");
        ensure!(missing.is_empty(), "install reports missing objects in generation {name}: {missing:?}");
        let reported = with_action(&steps, "reported");
        ensure!(reported == ["agent_task_queue.completed_at"], "install reports in generation {name}: {reported:?}");
        same("the rows", &rows(&mut client)?, &before)?;
        let after = Catalogue::read(&mut client)?.objects();
        let lost: Vec<_> = objects.difference(&after).collect();
        ensure!(lost.is_empty(), "install removed or changed in generation {name}: {lost:#?}");
        repair(&mut client, &steps)?;
        all_adopted(&install(&mut database.connect()?)?)?;
        client.batch_execute("DROP EXTENSION multica")?;
    }
    Ok(())
}

/// Each of these works in every generation.
const CALLS: [&str; 5] = [
    "SELECT id FROM multica_heartbeat(md5('runtime online')::uuid)",
    "SELECT count(*) FROM multica_list_runtimes(md5('workspace 1')::uuid)",
    "SELECT id FROM multica_get_task(md5('task running')::uuid)",
    "SELECT tasks_queued FROM multica_status()",
    "SELECT count(*) FROM multica_events(0)",
];

/// No migration fails because of the extension, no row is lost, and open sessions go on without a new connection.
pub fn migrations_of_server_succeed_after_install(context: &Context) -> Result<()> {
    let generations = context.generations()?;
    let all = generations.all();
    let database = context.generation_with_rows(&all[0].name)?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica")?;
    install(&mut client)?;
    let mut sessions = [database.connect()?, database.connect()?];
    let prepared = CALLS.map(|call| sessions[1].prepare(call));
    let prepared = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (from, to) in all.iter().zip(&all[1..]) {
        for call in CALLS {
            sessions[0].query(call, &[]).with_context(|| format!("{call} in {}", from.name))?;
        }
        for call in &prepared {
            sessions[1].query(call, &[]).with_context(|| format!("prepared statement in {}", from.name))?;
        }
        generations.walk(&mut client, from, to)?;
        generations.fill_further(&mut client, from, to)?;
    }
    for call in CALLS {
        sessions[0].query(call, &[]).with_context(|| format!("{call} at the end"))?;
    }
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "missing").is_empty(), "{steps:?}");
    Ok(())
}
