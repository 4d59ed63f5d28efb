//! Install migrates the tables of earlier releases in steps that do not stop a fleet.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::between::Sessions;
use super::inventory::Inventory;
use super::support::{ROLES, cluster, current, database_of_release, refusal};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;
use crate::release::{self, Release};
use crate::suites::install::support::{Step, install, lines, value, with_action};

/// More rows than a table may have that install migrates in one call.
const MANY: &str = "INSERT INTO agent_task_queue (agent_id, runtime_id, status, context, completed_at)
    SELECT a.id, a.runtime_id, 'completed', '{}', now()
    FROM (SELECT id, runtime_id FROM agent ORDER BY id LIMIT 1) AS a CROSS JOIN generate_series(1, 10001)";

/// The indexes of the task table that are usable, and the constraints of all tables that hold for every row.
const SCANNED: &str = "SELECT i.indexrelid::regclass::text FROM pg_index AS i
        WHERE i.indrelid = 'agent_task_queue'::regclass AND i.indisvalid
    UNION ALL
    SELECT format('%s.%s', conrelid::regclass, conname) FROM pg_constraint
        WHERE convalidated AND contype IN ('c', 'f') AND connamespace = 'public'::regnamespace";

/// The tables.
const TABLES: &str = "SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";

/// Whether this transaction excludes every other session from the task table.
const EXCLUDES: &str = "SELECT EXISTS (SELECT FROM pg_locks
    WHERE pid = pg_backend_pid() AND relation = 'agent_task_queue'::regclass AND mode = 'AccessExclusiveLock')";

/// A database of a release with many tasks, after ALTER EXTENSION UPDATE.
fn large<'a>(context: &Context, cluster: &'a Cluster, release: &Release) -> Result<Database<'a>> {
    let database = database_of_release(context, cluster, release)?;
    let mut client = database.connect()?;
    client.batch_execute("ALTER EXTENSION multica UPDATE")?;
    client.batch_execute(MANY)?;
    Ok(database)
}

/// Runs one install in a transaction. Fails if it has scanned a table while it excluded the other sessions. A table that
/// it has just created has no rows.
fn install_once(client: &mut Client, when: &str) -> Result<Vec<Step>> {
    let before: BTreeSet<String> = lines(client, SCANNED)?.into_iter().collect();
    let tables: BTreeSet<String> = lines(client, TABLES)?.into_iter().collect();
    client.batch_execute("BEGIN")?;
    let steps = install(client).with_context(|| when.to_string())?;
    let excludes: bool = value(client, EXCLUDES)?;
    let after: BTreeSet<String> = lines(client, SCANNED)?.into_iter().collect();
    let is_created = |object: &str| object.split_once('.').is_some_and(|(table, _)| !tables.contains(table));
    let scanned: Vec<_> = after.difference(&before).filter(|object| !is_created(object)).collect();
    ensure!(!excludes || scanned.is_empty(), "{when}: under ACCESS EXCLUSIVE, install scanned for {scanned:?}");
    let dropped = with_action(&steps, "dropped");
    ensure!(dropped.is_empty() || scanned.is_empty(), "{when}: {dropped:?} were dropped beside {scanned:?}");
    client.batch_execute("COMMIT")?;
    Ok(steps)
}

/// Calls go on between the calls of install, also in sessions that were open before, and with a crash between two calls
/// nothing is lost, because each call finds out what is left.
pub fn large_tables_are_migrated_in_steps(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("migration"))?;
    let fresh = context.fresh_database_in(&cluster)?;
    let mut superuser = fresh.connect()?;
    for (capability, role) in ROLES {
        superuser.batch_execute(&format!("SELECT multica_grant('{role}', '{capability}')"))?;
    }
    let expected = Inventory::read(context, &mut superuser)?;
    let current = current(&cluster)?;
    for release in release::all(&context.project)?.iter().filter(|it| it.version != current) {
        let database = large(context, &cluster, release)?;
        let mut sessions = Sessions::open(&database, release)?;
        sessions.work("before install")?;
        let mut calls = 0;
        loop {
            calls += 1;
            let when = format!("call {calls} in a database of {}", release.version);
            // Every call has a session of its own, as after a crash.
            let steps = install_once(&mut database.connect()?, &when)?;
            sessions.work(&when)?;
            let next = with_action(&steps, "next");
            ensure!(next.is_empty() || steps.last().is_some_and(|step| step.action == "next"), "{when}: {steps:?}");
            if next.is_empty() {
                break;
            }
            ensure!(calls < 8, "{when}: {next:?} are left");
        }
        ensure!(calls > 2, "the tables of {} were migrated in {calls} calls", release.version);
        let roles = ROLES.map(|(_, role)| role);
        Inventory::read(context, &mut database.connect()?)?.expect_with_earlier_privileges(&expected, &roles)?;
        let again = install(&mut database.connect()?)?;
        ensure!(with_action(&again, "adopted").len() == again.len(), "{again:?}");
    }
    Ok(())
}

/// The procedure does all calls of install. Small tables need one call.
pub fn procedure_migrates_tables(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("procedure"))?;
    let releases = release::all(&context.project)?;
    let release = releases.first().context("there is a release")?;
    let database = large(context, &cluster, release)?;
    let mut client = database.connect()?;
    client.batch_execute("CALL multica_install_all()")?;
    let again = install(&mut client)?;
    ensure!(with_action(&again, "adopted").len() == again.len(), "{again:?}");
    let error = refusal(&mut client, "BEGIN; CALL multica_install_all()")?;
    ensure!(error.code().code() == "2D000", "{error:?}");
    let small = database_of_release(context, &cluster, release)?;
    let mut client = small.connect()?;
    client.batch_execute("ALTER EXTENSION multica UPDATE")?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "next").is_empty() && !with_action(&steps, "dropped").is_empty(), "{steps:?}");
    Ok(())
}

/// While a session reads the table, install tries again and again. It is never in the queue for a lock, because every
/// later call would wait behind it.
pub fn install_never_waits_in_lock_queue(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("queue"))?;
    let releases = release::all(&context.project)?;
    let release = releases.first().context("there is a release")?;
    let database = database_of_release(context, &cluster, release)?;
    let mut superuser = database.connect()?;
    superuser.batch_execute("ALTER EXTENSION multica UPDATE")?;
    let mut reader = database.connect()?;
    reader.batch_execute("BEGIN; SELECT FROM agent_task_queue LIMIT 1")?;
    let error = refusal(&mut superuser, "SET lock_timeout = '300ms'; SELECT FROM multica_install()")?;
    ensure!(error.code().code() == "55P03" && error.hint().is_some(), "{error:?}");
    std::thread::scope(|scope| -> Result<()> {
        let installing = scope.spawn(|| -> Result<Vec<Step>> {
            let mut client = database.connect()?;
            client.batch_execute("SET lock_timeout = '60s'")?;
            install(&mut client)
        });
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        let mut calls = 0;
        while begun.elapsed() < Duration::from_secs(2) {
            let call = Instant::now();
            superuser.batch_execute(
                "SET lock_timeout = 0; UPDATE agent_task_queue SET priority = priority;
                 SELECT FROM multica_heartbeat_many(ARRAY(SELECT id FROM agent_runtime))",
            )?;
            longest = longest.max(call.elapsed());
            calls += 1;
            let waiting: i64 =
                value(&mut superuser, "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted")?;
            ensure!(waiting == 0, "install waits in the queue of a lock");
        }
        ensure!(calls > 10 && longest < Duration::from_secs(1), "the longest of {calls} calls took {longest:?}");
        ensure!(!installing.is_finished(), "install did not wait for the reader");
        reader.batch_execute("COMMIT")?;
        let steps = installing.join().expect("install does not panic")?;
        ensure!(!with_action(&steps, "dropped").is_empty(), "{steps:?}");
        Ok(())
    })
}

/// An index over many rows is built only when asked. Until it is there, the former ones stay, and the status names it.
pub fn indexes_of_large_tables_are_built_when_asked(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("limit"))?;
    let releases = release::all(&context.project)?;
    let release = releases.last().context("there is a release")?;
    let former =
        "SELECT count(*) FROM pg_class WHERE relname IN ('multica_task_in_flight', 'idx_agent_task_queue_issue')";
    let missing = "SELECT array_to_string(indexes_missing, ' ') FROM multica_status()";
    for by_hand in [true, false] {
        let database = database_of_release(context, &cluster, release)?;
        let mut client = database.connect()?;
        client.batch_execute("ALTER EXTENSION multica UPDATE; SET multica.build_limit = 1")?;
        let steps = install(&mut client)?;
        let left = with_action(&steps, "missing");
        ensure!(with_action(&steps, "dropped").is_empty(), "{steps:?}");
        ensure!(value::<i64>(&mut client, former)? == 2, "a former index was dropped before the new ones exist");
        let named: String = value(&mut client, missing)?;
        for index in ["multica_task_in_flight_v2", "multica_task_busy_v2"] {
            let is_named = named.split(' ').any(|it| it == index);
            ensure!(is_named && left.contains(&index), "{named} are missing, not {left:?}");
        }
        if by_hand {
            for step in steps.iter().filter(|step| step.action == "missing") {
                client.batch_execute(step.ddl.as_deref().context("a statement")?)?;
            }
            install(&mut client)?;
        } else {
            client.batch_execute("SELECT FROM multica_install(build => true)")?;
        }
        ensure!(value::<i64>(&mut client, former)? == 0, "the former indexes are there");
        let named: String = value(&mut client, missing)?;
        ensure!(named.is_empty(), "the status names {named}");
        let again = install(&mut client)?;
        ensure!(with_action(&again, "adopted").len() == again.len(), "{again:?}");
    }
    Ok(())
}
