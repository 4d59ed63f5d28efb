//! The role of the worker: what a trigger, or a setting of the database, could do in a process that started as
//! superuser.

use anyhow::{Result, ensure};
use postgres::NoTls;

use super::{
    SOON, alter, ensure_logged_once, fleet, holds, said, silence, switch_on, ticking, wait_for, wait_until_swept,
};
use crate::cluster::Cluster;
use crate::context::Context;

/// Of all statements that the owner's trigger tries, only a temporary table succeeds, both at once and deferred, and
/// after an abort.
pub fn trigger_has_only_rights_of_owner(context: &Context) -> Result<()> {
    let cluster = ticking(context, "identity")?;
    let database = fleet(context, &cluster)?;
    for fixture in ["worker_owner", "worker_attack", "worker_refusal"] {
        database.fixture(fixture)?;
    }
    switch_on(&database)?;
    silence(&database)?;
    wait_for(
        &database,
        "the refused task is recorded",
        "SELECT EXISTS (SELECT FROM multica_sweep_state WHERE cardinality(refused_ids) > 0)",
    )?;
    wait_for(&database, "both triggers have tried", "SELECT count(DISTINCT seen_by) = 2 FROM attempt")?;
    let mut client = database.connect()?;
    let worked: Vec<String> =
        client.query("SELECT DISTINCT what FROM attempt WHERE allowed", &[])?.iter().map(|row| row.get(0)).collect();
    ensure!(worked == ["CREATE TEMPORARY TABLE IF NOT EXISTS scratch (id uuid)"], "allowed: {worked:?}");
    let seen: Vec<(String, i64)> = client
        .query("SELECT seen_by || ' ' || who, count(DISTINCT what) FROM attempt GROUP BY 1 ORDER BY 1", &[])?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    ensure!(seen == [("at_once tables_owner".into(), 19), ("deferred tables_owner".into(), 19)], "seen as {seen:?}");
    let roles: i64 = client.query_one("SELECT count(*) FROM pg_roles WHERE rolsuper", &[])?.get(0);
    ensure!(roles == 1, "there are {roles} superusers");
    Ok(())
}

/// A search path of the database does not resolve names to objects of a user while the worker is a superuser.
pub fn search_path_does_not_capture_superuser_lookups(context: &Context) -> Result<()> {
    let cluster = ticking(context, "path")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_owner")?;
    database.fixture("worker_captured_names")?;
    silence(&database)?;
    alter(&database, "SET search_path = trap, pg_catalog, public")?;
    switch_on(&database)?;
    wait_until_swept(&database)?;
    let caught: i64 = database.connect()?.query_one("SELECT count(*) FROM trap.caught", &[])?.get(0);
    ensure!(caught == 0, "{caught} look-ups called a function of a user as superuser");
    Ok(())
}

/// Every name of Postgres and of the extension is tested in the same way, during a whole sweep.
pub fn sweep_uses_no_shadowing_object(context: &Context) -> Result<()> {
    let cluster = ticking(context, "names")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_owner")?;
    database.fixture("robustness/names")?;
    silence(&database)?;
    let mut client = cluster.config(&database.name).options("-c search_path=public").connect(NoTls)?;
    alter(&database, "SET search_path = trap, pg_catalog, public")?;
    switch_on(&database)?;
    Cluster::wait_until("the database is swept", SOON, || {
        holds(&mut client, "SELECT count(*) = 0 FROM agent_runtime WHERE status = 'online'")
    })?;
    ensure!(said(&cluster, "sprung")? == 0, "a look-up or a sweep called a function of a user");
    Ok(())
}

/// A database is swept as its owner, also with settings that make its sessions read-only or change their role.
pub fn database_settings_do_not_block_sweep(context: &Context) -> Result<()> {
    let cluster = ticking(context, "settings")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_owner")?;
    database.connect()?.batch_execute("CREATE ROLE bystander; GRANT bystander TO tables_owner")?;
    silence(&database)?;
    for setting in
        ["default_transaction_isolation = serializable", "default_transaction_read_only = on", "role = bystander"]
    {
        alter(&database, &format!("SET {setting}"))?;
    }
    switch_on(&database)?;
    let mut client = cluster
        .config(&database.name)
        .options("-c default_transaction_read_only=off -c role=postgres")
        .connect(NoTls)?;
    Cluster::wait_until("the database is swept", SOON, || {
        holds(&mut client, "SELECT count(*) = 0 FROM agent_runtime WHERE status = 'online'")
    })
}

/// With tables of two owners, a trigger of one owner would run as the other. The launcher logs this once and does not
/// sweep the database until the tables have one owner.
pub fn tables_of_several_owners_are_not_swept(context: &Context) -> Result<()> {
    let cluster = ticking(context, "owners")?;
    let (mixed, plain) = (fleet(context, &cluster)?, fleet(context, &cluster)?);
    mixed.fixture("worker_owner")?;
    mixed.connect()?.batch_execute("ALTER TABLE comment OWNER TO postgres")?;
    for database in [&mixed, &plain] {
        switch_on(database)?;
        silence(database)?;
    }
    let line = format!("database \"{}\" is not swept: its tables belong to several roles", mixed.name);
    Cluster::wait_until("the launcher has logged it", SOON, || Ok(said(&cluster, &line)? > 0))?;
    for _ in 0..3 {
        silence(&plain)?;
        wait_until_swept(&plain)?;
    }
    let untouched: bool =
        mixed.connect()?.query_one("SELECT bool_and(status = 'online') FROM agent_runtime", &[])?.get(0);
    ensure!(untouched, "the database was swept");
    ensure_logged_once(&cluster, &[&line])?;
    mixed.connect()?.batch_execute("ALTER TABLE comment OWNER TO tables_owner")?;
    wait_until_swept(&mixed)
}

/// The worker sweeps the tables of a server of today.
pub fn tables_of_newer_server_are_swept(context: &Context) -> Result<()> {
    let cluster = ticking(context, "newer")?;
    let newer = fleet(context, &cluster)?;
    newer.connect()?.batch_execute("ALTER TRIGGER multica_issue_number ON issue RENAME TO other")?;
    switch_on(&newer)?;
    silence(&newer)?;
    wait_until_swept(&newer)
}
