//! pg_upgrade from one major version of a run to the next, with the library preloaded in both clusters.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::install::support::{Step, all_adopted, install, lines, newest, rows, same};
use super::support::{LIMIT, expect, value, values};
use crate::cluster::{Cluster, Options, Shutdown, output};
use crate::context::Context;
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;

/// The first version whose initdb enables checksums; pg_upgrade requires the same setting in both clusters.
const WITH_CHECKSUMS: u32 = 18;

/// Settings of a database that pg_upgrade must keep. The workers of the old cluster sweep once per hour, so that
/// nothing changes while rows are compared.
const SETTINGS: &[(&str, &str)] =
    &[("multica.sweep", "on"), ("multica.stale_after", "2s"), ("multica.offline_grace", "1s")];

/// Sets the runtimes of a server's database offline, where the server sweeps itself.
const DEREGISTER: &str = "SELECT multica_deregister(ARRAY(SELECT id FROM agent_runtime))";

/// The name of the test that upgrades from one version to another.
pub fn name(old: u32, new: u32) -> String {
    format!("pg_upgrade/{old}_to_{new}_carries_everything")
}

/// The object that install names when it starts a new range of ids for the event log.
const ID_RANGE_STEP: &str = "multica_event_log_id_seq";

/// Sets every runtime offline before the upgrade: afterwards a worker has nothing to do, and the rows can be compared.
const SET_ALL_OFFLINE: &str = "
    SELECT FROM multica_sweep();
    SELECT multica_set_runtime_offline(id) FROM agent_runtime WHERE status = 'online';
    SET multica.offline_grace = '0s';
    SELECT FROM multica_sweep()";

/// Tables that install created and tables that it adopted, events, readers and settings are the same after the upgrade.
/// Every reader continues at its position, in one database before install is called and in the other after it. Then
/// calls work, and the worker sweeps.
pub fn carries_everything(context: &Context, new: &Context) -> Result<()> {
    let old = context.cluster(&Options::new("old").set("multica.sweep_interval", "1h"))?;
    let created = context.fresh_database_in(&old)?;
    created.fixture("dead_machine")?;
    let adopted = context.empty_database_in(&old)?;
    adopted.fixture("server_055")?;
    adopted.connect()?.batch_execute("CREATE EXTENSION multica")?;
    install(&mut adopted.connect()?)?;
    let mut before = Vec::new();
    for database in [&created, &adopted] {
        let mut client = database.connect()?;
        client.batch_execute(SET_ALL_OFFLINE)?;
        let readers = Readers::read_some(&mut client)?;
        for (setting, value) in SETTINGS {
            let name = &database.name;
            client.batch_execute(&format!("ALTER DATABASE {name} SET {setting} = '{value}'"))?;
        }
        let contents = Contents::read(&mut client)?;
        before.push((database.name.clone(), contents, readers));
    }
    let newest = newest(context, &old)?;
    newest.connect()?.batch_execute(DEREGISTER)?;
    let of_newest = Contents::read(&mut newest.connect()?)?;
    old.stop(Shutdown::Fast)?;

    let new = upgrade(&context.project, &old, &new.copy)?;
    for (at, (name, before, mut readers)) in before.into_iter().enumerate() {
        let mut client = new.connect(&name)?;
        before.expect_equal(&Contents::read(&mut client)?)?;
        let reads_first = at == 0;
        if reads_first {
            readers.read_rest(&mut client)?;
            all_adopted(&install(&mut client)?)?;
        } else {
            only_id_range_is_new(&install(&mut client)?)?;
            readers.read_rest(&mut client)?;
        }
        calls_and_worker_work(&mut client).with_context(|| format!("in {name}"))?;
        readers.read_new_events(&mut client)?;
    }
    let mut client = new.connect(&newest.name)?;
    of_newest.expect_equal(&Contents::read(&mut client)?)?;
    only_id_range_is_new(&install(&mut client)?)?;
    let beat = "SELECT multica_heartbeat_many(ARRAY(SELECT id FROM agent_runtime)) > 0";
    expect(&mut client, beat, "t")
}

/// The new cluster has another system identifier, so the event log is now on another server than the one that wrote it.
/// So install starts a new range of ids. All other objects are adopted.
fn only_id_range_is_new(steps: &[Step]) -> Result<()> {
    let (id_range, others): (Vec<Step>, Vec<Step>) =
        steps.iter().cloned().partition(|step| step.object == ID_RANGE_STEP);
    ensure!(
        id_range.iter().map(|step| step.action.as_str()).eq(["altered"]),
        "install returned for the ids of the event log: {id_range:?}"
    );
    all_adopted(&others)
}

/// A named reader, a reader that keeps its own position, and a reader that has read all events.
struct Readers {
    /// Ids of the events from before the upgrade.
    all: Vec<i64>,
    position: i64,
    at_the_end: i64,
}

/// The ids of the events after a position.
fn read(client: &mut Client, after: i64) -> Result<Vec<i64>> {
    ids(client, &format!("SELECT id FROM multica_events({after})"))
}

fn take(client: &mut Client, at_most: i32) -> Result<Vec<i64>> {
    ids(client, &format!("SELECT id FROM multica_take_events('mirror', {at_most})"))
}

fn ids(client: &mut Client, sql: &str) -> Result<Vec<i64>> {
    let ids = values(client, sql)?;
    Ok(ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?)
}

impl Readers {
    /// Each reader reads a part of the event log.
    fn read_some(client: &mut Client) -> Result<Readers> {
        let all = read(client, 0)?;
        ensure!(all.len() > 4, "there are only the events {all:?}");
        ensure!(take(client, 2)? == all[..2], "the event log begins with other events");
        Ok(Readers { position: all[2], at_the_end: all[all.len() - 1], all })
    }

    /// Each reader gets the events that it had not read, and no others.
    fn read_rest(&mut self, client: &mut Client) -> Result<()> {
        let taken = take(client, 1000)?;
        ensure!(taken == self.all[2..], "the named reader took {taken:?}");
        let found = read(client, self.position)?;
        ensure!(found == self.all[3..], "the reader with its own position read {found:?}");
        let found = read(client, self.at_the_end)?;
        ensure!(found.is_empty(), "the reader of all events read {found:?}");
        Ok(())
    }

    /// Each reader gets every event from after the upgrade, under ids that no event had before.
    fn read_new_events(&self, client: &mut Client) -> Result<()> {
        let new = read(client, self.at_the_end)?;
        ensure!(new.len() > 2, "new events are {new:?}");
        ensure!(take(client, 1000)? == new, "the named reader missed some of {new:?}");
        let found = read(client, self.position)?;
        ensure!(found == [&self.all[3..], &new].concat(), "the reader with its own position read {found:?}");
        Ok(())
    }
}

/// What must be the same in both clusters.
struct Contents {
    rows: Vec<String>,
    events: Vec<String>,
    catalogue: Vec<String>,
}

impl Contents {
    fn read(client: &mut Client) -> Result<Contents> {
        let events = "SELECT to_jsonb(e)::text FROM multica_event_log AS e ORDER BY id";
        let reader = "SELECT to_jsonb(r)::text FROM multica_event_reader AS r ORDER BY 1";
        let contents = Contents {
            rows: rows(client)?,
            events: [lines(client, events)?, lines(client, reader)?].concat(),
            catalogue: lines(client, include_str!("../../fixtures/upgraded.sql"))?,
        };
        ensure!(contents.rows.len() > 10, "the tables are empty");
        ensure!(contents.catalogue.len() > 50, "the catalogue is empty");
        Ok(contents)
    }

    fn expect_equal(&self, after: &Contents) -> Result<()> {
        same("the rows", &after.rows, &self.rows)?;
        same("the events", &after.events, &self.events)?;
        same("the catalogues", &after.catalogue, &self.catalogue)
    }
}

/// Upgrades `old`, which is stopped, to a new cluster.
fn upgrade(project: &Project, old: &Cluster, copy: &PostgresCopy) -> Result<Cluster> {
    let mut options = Options::new("new").set("multica.sweep_interval", "500ms");
    if copy.major >= WITH_CHECKSUMS && old.copy().major < WITH_CHECKSUMS {
        options = options.initdb("--no-data-checksums");
    }
    let new = Cluster::create(project, copy, &options)?;
    new.stop(Shutdown::Fast)?;
    let mut command = new.tool("pg_upgrade");
    for (option, value) in [
        ("--old-bindir", programs(old.copy())),
        ("--new-bindir", programs(copy)),
        ("--old-datadir", old.data()),
        ("--new-datadir", new.data()),
        ("--socketdir", new.socket_folder()),
    ] {
        command.arg(option).arg(value);
    }
    output(command.arg("--no-sync").env_remove("PGHOST").env_remove("PGPORT"))?;
    new.start()?;
    Ok(new)
}

fn programs(copy: &PostgresCopy) -> std::path::PathBuf {
    let program = copy.program("postgres");
    program.parent().unwrap_or(Path::new("/")).to_path_buf()
}

/// The calls of a daemon work; when its runtime is silent, the worker sets it offline by the database's own settings.
fn calls_and_worker_work(client: &mut Client) -> Result<()> {
    let settings: Vec<String> = SETTINGS.iter().map(|(setting, value)| format!("{setting}={value}")).collect();
    expect(
        client,
        "SELECT unnest(setconfig) FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
         WHERE d.datname = current_database() AND s.setrole = 0",
        &settings.join("\n"),
    )?;
    let runtime = value(
        client,
        "SELECT id FROM multica_register((SELECT min(id::text)::uuid FROM workspace), '{\"daemon_id\": \"survivor\", \"runtimes\": [{\"type\": \"claude\"}]}')",
    )?;
    let agent = value(
        client,
        &format!(
            "INSERT INTO agent (workspace_id, name, runtime_mode, runtime_id)
             SELECT workspace_id, 'Survivor', 'local', id FROM agent_runtime WHERE id = '{runtime}' RETURNING id"
        ),
    )?;
    let task = value(client, &format!("SELECT task_id FROM multica_enqueue('{agent}')"))?;
    expect(client, &format!("SELECT id FROM multica_claim('{runtime}')"), &task)?;
    client.batch_execute(&format!(
        "SELECT FROM multica_start('{task}');
         UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour' WHERE id = '{runtime}'"
    ))?;
    Cluster::wait_until("the worker has set the silent runtime offline", LIMIT + Duration::from_secs(10), || {
        let status = value(client, &format!("SELECT status FROM agent_runtime WHERE id = '{runtime}'"))?;
        Ok(status == "offline")
    })?;
    expect(
        client,
        &format!("SELECT status, failure_reason FROM agent_task_queue WHERE id = '{task}'"),
        "failed runtime_offline",
    )
}
