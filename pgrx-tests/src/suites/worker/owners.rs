//! Tables that change their owner while the worker sweeps them.

use anyhow::{Result, ensure};

use super::{SOON, ensure_said_once, fleet, said, silence, switch_on, ticking, wait_until_swept};
use crate::cluster::Cluster;
use crate::context::Context;

/// After REASSIGN OWNED and ALTER TABLE … OWNER TO the worker is the new owner, whose only privileges are the tables:
/// no install and no grant is needed. An owner who may not use the schema is one line in the log that says what to
/// grant.
pub fn worker_runs_as_new_owner(context: &Context) -> Result<()> {
    let cluster = ticking(context, "owners")?;
    let database = fleet(context, &cluster)?;
    database.fixture("worker_owner")?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE ROLE heir; CREATE ROLE stranger")?;
    switch_on(&database)?;
    silence(&database)?;
    wait_until_swept(&database)?;
    client.batch_execute("REASSIGN OWNED BY tables_owner TO heir")?;
    for _ in 0..2 {
        silence(&database)?;
        wait_until_swept(&database)?;
    }
    ensure!(said(&cluster, "42501")? == 0, "the new owner was refused");
    let refused: bool = client
        .query_one("SELECT NOT has_function_privilege('heir', 'multica_sweep(double precision)', 'EXECUTE')", &[])?
        .get(0);
    ensure!(refused, "the new owner was given the function");
    client.batch_execute("REASSIGN OWNED BY heir TO stranger; REVOKE USAGE ON SCHEMA public FROM PUBLIC")?;
    let line = format!(
        "database \"{}\" is not swept: the owner of its tables is not allowed to use their schema",
        database.name
    );
    Cluster::wait_until("the log says so", SOON, || Ok(said(&cluster, &line)? > 0))?;
    client.batch_execute("GRANT USAGE ON SCHEMA public TO stranger")?;
    silence(&database)?;
    wait_until_swept(&database)?;
    ensure_said_once(&cluster, &[&line])
}
