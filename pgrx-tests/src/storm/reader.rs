//! Replicas of an application that take events under one name, and are interrupted.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;

use super::actor::{Actor, Life};

const TAKE: &str = "INSERT INTO taken SELECT id FROM multica_take_events('forwarder', 500) RETURNING id";

/// Takes, and now and then loses what it took before it could commit.
pub struct Reader;

impl Life for Reader {
    fn step(&mut self, actor: &mut Actor) -> Result<Duration> {
        actor.client.batch_execute("BEGIN")?;
        let taken = actor.client.query(TAKE, &[])?;
        match actor.rng.u32(0..10) {
            0 => actor.client.batch_execute("ROLLBACK")?,
            1 => actor.reconnect()?,
            _ => {
                actor.client.batch_execute("COMMIT")?;
                actor.took(taken.iter().map(|row| row.get(0)));
            }
        }
        Ok(actor.upto(50))
    }
}

/// Takes what is left once nobody writes any more.
pub fn take_the_rest(client: &mut Client) -> Result<()> {
    while client.execute(TAKE, &[])? > 0 {}
    Ok(())
}
