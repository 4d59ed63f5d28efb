//! The background worker between the steps of an update.

use anyhow::{Context as _, Result, ensure};

use super::support::{Script, cluster, current, database_of_release};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::release;
use crate::suites::worker::{
    SOON, ensure_logged_once, fleet, launcher, options, said, silence, switch_on, wait_for, wait_until_swept,
};

/// An unattended installation of a package must not stop the sweeps until an operator sees it. Each state is one line
/// in the log, and no error.
pub fn worker_sweeps_between_update_steps(context: &Context) -> Result<()> {
    let cluster = cluster(context, &options("between"))?;
    let current = current(&cluster)?;
    let releases = release::all(&context.project)?;
    let release = releases.iter().find(|release| release.version != current).context("there is an earlier release")?;
    let (database, sound) = (database_of_release(context, &cluster, release)?, fleet(context, &cluster)?);
    let mut superuser = database.connect()?;
    let before = launcher(&cluster)?;
    switch_on(&database)?;
    switch_on(&sound)?;
    let sweep_three_times = |database| -> Result<()> {
        for _ in 0..3 {
            silence(database)?;
            wait_until_swept(database)?;
        }
        Ok(())
    };

    sweep_three_times(&database)?;
    let behind = format!("database \"{}\" has SQL objects older than the library", database.name);
    ensure_logged_once(&cluster, &[&behind])?;
    superuser.batch_execute("ALTER EXTENSION multica UPDATE")?;
    sweep_three_times(&database)?;
    superuser.batch_execute("SELECT FROM multica_install()")?;
    silence(&database)?;
    wait_for(
        &database,
        "sweeps are counted",
        "SELECT total_sweeps > 0 AND total_runtimes_offline > 0 FROM multica_status()",
    )?;

    let _later = Script::of(context, &format!("{current}--99.0.0"), "SELECT")?;
    superuser.batch_execute("ALTER EXTENSION multica UPDATE TO '99.0.0'")?;
    let ahead = format!("database \"{}\" is not swept: the SQL objects are newer than the library", database.name);
    Cluster::wait_until("the log reports the older library", SOON, || Ok(said(&cluster, &ahead)? > 0))?;
    sweep_three_times(&sound)?;
    ensure_logged_once(&cluster, &[&behind, &ahead])?;
    let errors = format!("multica worker: database \"{}\"", database.name);
    ensure!(said(&cluster, &errors)? == 0, "the worker had errors:\n{}", cluster.log()?);
    ensure!(launcher(&cluster)? == before, "the launcher was restarted");
    Ok(())
}
