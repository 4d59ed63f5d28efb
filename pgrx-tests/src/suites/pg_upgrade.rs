//! pg_upgrade from one major version of a run to the next, with the library preloaded on both sides.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::install::support::{Step, all_adopted, install, lines, rows, same};
use super::support::{LIMIT, expect, value, values};
use crate::cluster::{Cluster, Options, Shutdown, output};
use crate::context::Context;
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;

/// The first version whose initdb turns checksums on; pg_upgrade wants both sides alike.
const WITH_CHECKSUMS: u32 = 18;

/// Settings of a database that must come along. The workers of these clusters sleep for an hour between two sweeps
/// until they are told otherwise, so that nothing changes while rows are compared.
const SETTINGS: &[(&str, &str)] =
    &[("multica.sweep", "on"), ("multica.stale_after", "2s"), ("multica.offline_grace", "1s")];

/// The name of the test that upgrades from one version to another.
pub fn name(old: u32, new: u32) -> String {
    format!("pg_upgrade/{old}_to_{new}_carries_everything")
}

/// The step by which install has the event log begin anew.
const BEGINS_ANEW: &str = "multica_event_log_id_seq";

/// What happens to every runtime before the upgrade: afterwards there is nothing that a worker would do by itself, and
/// the rows can be compared.
const ALL_SWEPT: &str = "
    SELECT FROM multica_sweep();
    SELECT multica_set_runtime_offline(id) FROM agent_runtime WHERE status = 'online';
    SET multica.offline_grace = '0s';
    SELECT FROM multica_sweep()";

/// Tables that install created and tables that it adopted, events and readers, settings: the same afterwards; every
/// reader goes on where it was, in one database before install is run and in the other one after it; calls work, and
/// the worker sweeps.
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
        client.batch_execute(ALL_SWEPT)?;
        let readers = Readers::begin(&mut client)?;
        for (setting, value) in SETTINGS {
            let name = &database.name;
            client.batch_execute(&format!("ALTER DATABASE {name} SET {setting} = '{value}'"))?;
        }
        let picture = Picture::take(&mut client)?;
        before.push((database.name.clone(), picture, readers));
    }
    old.stop(Shutdown::Fast)?;

    let new = upgrade(&context.project, &old, &new.copy)?;
    for (at, (name, before, mut readers)) in before.into_iter().enumerate() {
        let mut client = new.connect(&name)?;
        let after = Picture::take(&mut client)?;
        same("the rows", &after.rows, &before.rows)?;
        same("the events", &after.events, &before.events)?;
        same("the catalogues", &after.catalogue, &before.catalogue)?;
        let reads_first = at == 0;
        if reads_first {
            readers.go_on(&mut client)?;
            all_adopted(&install(&mut client)?)?;
        } else {
            only_begins_anew(&install(&mut client)?)?;
            readers.go_on(&mut client)?;
        }
        goes_on(&mut client).with_context(|| format!("in {name}"))?;
        readers.meet_new_events(&mut client)?;
    }
    Ok(())
}

/// The new cluster has another system identifier, so the log is on another server than where it was written. All else
/// is there.
fn only_begins_anew(steps: &[Step]) -> Result<()> {
    let (anew, others): (Vec<Step>, Vec<Step>) = steps.iter().cloned().partition(|step| step.object == BEGINS_ANEW);
    ensure!(
        anew.iter().map(|step| step.action.as_str()).eq(["altered"]),
        "install says of the ids of the log {anew:?}"
    );
    all_adopted(&others)
}

/// A reader that the log knows by its name, one that keeps its position itself, and one that has read all there was.
struct Readers {
    /// Ids of the events that were recorded before the upgrade.
    all: Vec<i64>,
    position: i64,
    at_the_end: i64,
}

/// The ids that are read after an id.
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
    /// Each has read a part of the log.
    fn begin(client: &mut Client) -> Result<Readers> {
        let all = read(client, 0)?;
        ensure!(all.len() > 4, "there are only the events {all:?}");
        ensure!(take(client, 2)? == all[..2], "the log begins elsewhere");
        Ok(Readers { position: all[2], at_the_end: all[all.len() - 1], all })
    }

    /// Each reads what it had not read, and nothing else.
    fn go_on(&mut self, client: &mut Client) -> Result<()> {
        let taken = take(client, 1000)?;
        ensure!(taken == self.all[2..], "the named reader took {taken:?}");
        let found = read(client, self.position)?;
        ensure!(found == self.all[3..], "the other one read {found:?}");
        let found = read(client, self.at_the_end)?;
        ensure!(found.is_empty(), "who had read all read {found:?}");
        Ok(())
    }

    /// Each reads every event that was recorded since, under ids that no event had before.
    fn meet_new_events(&self, client: &mut Client) -> Result<()> {
        let new = read(client, self.at_the_end)?;
        ensure!(new.len() > 2, "new events are {new:?}");
        ensure!(take(client, 1000)? == new, "the named reader missed some of {new:?}");
        let found = read(client, self.position)?;
        ensure!(found == [&self.all[3..], &new].concat(), "the other one read {found:?}");
        Ok(())
    }
}

/// What has to be the same on both sides.
struct Picture {
    rows: Vec<String>,
    events: Vec<String>,
    catalogue: Vec<String>,
}

impl Picture {
    fn take(client: &mut Client) -> Result<Picture> {
        let events = "SELECT to_jsonb(e)::text FROM multica_event_log AS e ORDER BY id";
        let reader = "SELECT to_jsonb(r)::text FROM multica_event_reader AS r ORDER BY 1";
        let picture = Picture {
            rows: rows(client)?,
            events: [lines(client, events)?, lines(client, reader)?].concat(),
            catalogue: lines(client, include_str!("../../fixtures/upgraded.sql"))?,
        };
        ensure!(picture.rows.len() > 10, "the tables are empty");
        ensure!(picture.catalogue.len() > 50, "the catalogue is empty");
        Ok(picture)
    }
}

/// A new cluster with everything of `old`, which is stopped.
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

/// A daemon's calls work, and its death is noticed by the worker, which has found the database's settings.
fn goes_on(client: &mut Client) -> Result<()> {
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
    Cluster::wait_until("the worker has noticed the death", LIMIT + Duration::from_secs(10), || {
        let status = value(client, &format!("SELECT status FROM agent_runtime WHERE id = '{runtime}'"))?;
        Ok(status == "offline")
    })?;
    expect(
        client,
        &format!("SELECT status, failure_reason FROM agent_task_queue WHERE id = '{task}'"),
        "failed runtime_offline",
    )
}
