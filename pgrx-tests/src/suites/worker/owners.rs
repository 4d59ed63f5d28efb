//! Tables whose owner changes while the worker sweeps them.

use anyhow::{Result, ensure};

use super::{SOON, ensure_logged_once, fleet, said, silence, switch_on, ticking, wait_until_swept};
use crate::cluster::Cluster;
use crate::context::Context;

/// After REASSIGN OWNED and ALTER TABLE … OWNER TO the worker runs as the new owner, who needs only the privileges on
/// the tables: neither an install nor a grant. If the owner may not use the schema, one line in the log names the
/// missing privilege.
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
    ensure!(refused, "the new owner was granted the function");
    client.batch_execute("REASSIGN OWNED BY heir TO stranger; REVOKE USAGE ON SCHEMA public FROM PUBLIC")?;
    let line = format!(
        "database \"{}\" is not swept: the owner of its tables is not allowed to use their schema",
        database.name
    );
    Cluster::wait_until("the launcher has logged it", SOON, || Ok(said(&cluster, &line)? > 0))?;
    client.batch_execute("GRANT USAGE ON SCHEMA public TO stranger")?;
    silence(&database)?;
    wait_until_swept(&database)?;
    ensure_logged_once(&cluster, &[&line])
}
