//! Between the steps of an update every call works as before, or its error names the next step; also in database
//! sessions that were open before the update.

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, Statement};

use super::support::{ROLES, Script, UPDATE, cluster, current, database_of_release, refusal, refused_with_next_step};
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;
use crate::release::{self, Release};
use crate::suites::support::{digest, values};

/// It checks the version of the library, and must fail while the SQL objects have another one.
const VERSION: &str = "PERFORM multica_version();";

/// Database sessions that were opened before an update and stay open. There is one per role, with cached plans and
/// types.
pub struct Sessions {
    all: Vec<(String, Client, String)>,
    prepared: Vec<Statement>,
}

/// Prepared queries of a client, whose plans contain the old types.
const PREPARED: [&str; 5] = [
    "SELECT sweep, tasks_queued, slowest_reader, slowest_reader_behind FROM multica_status()",
    "SELECT name, value FROM multica_metrics()",
    "SELECT (s.report).slowest_reader FROM (SELECT multica_status() AS report OFFSET 0) AS s",
    "SELECT * FROM multica_status()",
    // The log of a restored database restarts, and what was before the restart cannot be read any more.
    "SELECT id, type FROM multica_events(COALESCE((SELECT events_trimmed_to FROM multica_sweep_state), 0), 10)",
];

impl Sessions {
    /// Opens them.
    pub fn open(database: &Database, release: &Release) -> Result<Sessions> {
        let mut all = Vec::new();
        for (capability, role) in ROLES {
            let client = database.connect_as(role)?;
            let calls = release.story(capability)?;
            all.push((role.to_string(), client, calls.replace(VERSION, "")));
        }
        let reader = &mut all[0].1;
        let prepared = PREPARED.iter().map(|query| Ok(reader.prepare(query)?)).collect::<Result<_>>()?;
        Ok(Sessions { all, prepared })
    }

    /// Runs the calls of each capability and the prepared queries, and rolls them back.
    pub fn work(&mut self, when: &str) -> Result<()> {
        for (role, client, calls) in &mut self.all {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(calls).with_context(|| format!("{role}, {when}"))?;
            transaction.rollback()?;
        }
        for (statement, query) in self.prepared.iter().zip(PREPARED) {
            let rows = self.all[0].1.query(statement, &[]).with_context(|| format!("{when}: {query}"))?;
            ensure!(!rows.is_empty(), "{when}, no row: {query}");
        }
        Ok(())
    }
}

/// The library has one attribute, one function and one table that the SQL objects lack until both steps are done.
pub fn open_sessions_work_at_every_update_step(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("steps"))?;
    for release in release::all(&context.project)? {
        if release.version == current(&cluster)? {
            continue;
        }
        let database = database_of_release(context, &cluster, &release)?;
        let mut superuser = database.connect()?;
        let mut sessions = Sessions::open(&database, &release)?;
        let rows = tables(context, &database)?;

        sessions.work("new library, old objects")?;
        for call in [
            "SELECT multica_version()",
            "SELECT * FROM multica_install()",
            "SELECT multica_grant('old_reader', 'reader')",
        ] {
            refused_with_next_step(&mut superuser, call, "Run ALTER EXTENSION multica UPDATE;")?;
        }
        sweeps(&mut superuser, "last_runtimes_offline = 1")?;
        superuser.batch_execute("ALTER EXTENSION multica UPDATE")?;
        sessions.work("before multica_install()")?;
        // Databases of 0.1.0 have no table of totals before the install.
        let counted: Option<(i64, i64)> = totals(&mut superuser)?;
        let expected = match counted {
            Some((sweeps, _)) => format!("total_sweeps = {}", sweeps + 1),
            None => "total_sweeps IS NULL".into(),
        };
        sweeps(&mut superuser, &format!("{expected} AND last_runtimes_offline = 1"))?;
        ensure!(tables(context, &database)? == rows, "a row was changed by the update");
        superuser.batch_execute("SELECT FROM multica_install()")?;
        sessions.work("after multica_install()")?;
        ensure!(tables(context, &database)? == rows, "a row was changed by the install");
        let (total, offline) = counted.unwrap_or_default();
        sweeps(&mut superuser, &format!("total_sweeps = {} AND total_runtimes_offline = {}", total + 1, offline + 1))?;
    }
    Ok(())
}

/// The number of sweeps and of runtimes that they set offline; None if the database does not count them.
fn totals(superuser: &mut Client) -> Result<Option<(i64, i64)>> {
    let row = superuser.query_one("SELECT total_sweeps, total_runtimes_offline FROM multica_status()", &[])?;
    let sweeps: Option<i64> = row.get(0);
    Ok(sweeps.zip(row.get(1)))
}

/// A sweep with one stale runtime, called by a role that was granted the capability; checks what status returns then.
/// It is rolled back.
fn sweeps(superuser: &mut Client, expected: &str) -> Result<()> {
    superuser.batch_execute(
        "BEGIN; UPDATE agent_runtime SET status = 'online', last_seen_at = now() - interval '1 hour' WHERE daemon_id = 'machine';
         SET LOCAL ROLE old_operator",
    )?;
    let swept = values(superuser, "SELECT runtimes_offline FROM multica_sweep()")?;
    let status = values(superuser, &format!("SELECT {expected} FROM multica_status()"))?;
    superuser.batch_execute("ROLLBACK")?;
    ensure!(swept == ["1"], "the sweep set {swept:?} runtimes offline");
    ensure!(status == ["t"], "multica_status() does not return {expected}");
    Ok(())
}

/// The rows of the tables of the release, except the state of sweeps: install adds columns to it, and writes the
/// location of the event log into it.
fn tables(context: &Context, database: &Database) -> Result<Vec<String>> {
    let mut all = digest(context, database)?;
    // Install makes these tables.
    let new = ["_incarnation: ", "multica_runtime_return: ", "multica_task_progress: ", "multica_task_unnamed: "];
    all.retain(|line| !line.starts_with("multica_sweep_") && !new.iter().any(|table| line.contains(table)));
    Ok(all)
}

/// The operator went back to an older package, or a session loaded the library before the new one was installed: every
/// composite type of the SQL objects has an attribute that the library does not know.
pub fn old_library_works_with_newer_objects(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("behind"))?;
    let current = current(&cluster)?;
    let _script = Script::of(
        context,
        &format!("{current}--99.0.0"),
        "DO $$ DECLARE kind regtype; BEGIN
             FOR kind IN SELECT d.objid::regtype FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
                 WHERE e.extname = 'multica' AND d.deptype = 'e' AND d.classid = 'pg_type'::regclass AND d.objid <> 'multica_metric'::regtype
             LOOP EXECUTE format('ALTER TYPE %s ADD ATTRIBUTE later text', kind); END LOOP;
         END $$;",
    )?;
    let releases = release::all(&context.project)?;
    let release = releases.last().context("there is a release")?;
    let database = database_of_release(context, &cluster, release)?;
    let mut superuser = database.connect()?;
    superuser.batch_execute(UPDATE)?;
    let mut sessions = Sessions::open(&database, release)?;
    sessions.work("library and objects of one version")?;
    superuser.batch_execute("ALTER EXTENSION multica UPDATE TO '99.0.0'")?;
    sessions.work("objects of a later version")?;
    let (_, reader, _) = &mut sessions.all[0];
    ensure!(
        values(reader, "SELECT later IS NULL FROM multica_status()")? == ["t"],
        "an attribute that the library does not know must be NULL"
    );
    let mut later = Sessions::open(&database, release)?;
    later.work("a session that was opened later")?;
    for call in ["SELECT multica_version()", "SELECT * FROM multica_install()"] {
        refused_with_next_step(&mut superuser, call, "Install the package of version 99.0.0")?;
    }
    Ok(())
}

/// An update of the SQL objects while the server still runs the old library is refused with the hint to restart it, and
/// changes nothing. The old library is simulated by symbols that it lacks.
pub fn update_before_restart_is_refused(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("early"))?;
    let current = current(&cluster)?;
    for (from, to, file) in release::updates(&context.project)? {
        if to != current {
            continue;
        }
        let text = std::fs::read_to_string(&file)?.replace("_wrapper'", "_of_a_later_library'");
        let _script = Script::of(context, &format!("{from}--98.0.0"), &text)?;
        let database = context.empty_database_in(&cluster)?;
        let mut client = database.connect()?;
        client.batch_execute(&format!("CREATE EXTENSION multica VERSION '{from}'"))?;
        let error = refusal(&mut client, "ALTER EXTENSION multica UPDATE TO '98.0.0'")?;
        ensure!(
            error.code().code() == "55000"
                && error.message().contains(&format!("older than version {to}"))
                && error.hint().is_some_and(|hint| hint.contains("restart the server")),
            "{error:?}"
        );
        let still = "SELECT extversion FROM pg_extension WHERE extname = 'multica'";
        ensure!(values(&mut client, still)? == [from], "the version was changed");
    }
    Ok(())
}
