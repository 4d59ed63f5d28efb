//! Replicas of an application that take events under one name, and are interrupted.

use anyhow::Result;
use postgres::Client;

use super::Actor;

const TAKE: &str = "INSERT INTO taken SELECT id FROM multica_take_events('forwarder', 500)";

/// Takes, and now and then loses what it took before it could commit.
pub fn live(actor: &mut Actor, _number: usize) -> Result<()> {
    while !actor.is_over() {
        actor.client.batch_execute("BEGIN")?;
        actor.client.execute(TAKE, &[])?;
        match actor.rng.u32(0..10) {
            0 => actor.client.batch_execute("ROLLBACK")?,
            1 => actor.reconnect()?,
            _ => actor.client.batch_execute("COMMIT")?,
        }
        actor.pause(50);
    }
    Ok(())
}

/// Takes what is left once nobody writes any more.
pub fn take_the_rest(client: &mut Client) -> Result<()> {
    while client.execute(TAKE, &[])? > 0 {}
    Ok(())
}
