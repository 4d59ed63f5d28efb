//! Replicas of an application that share one named reader, and are interrupted.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;

use super::actor::{Actor, Behaviour};

const TAKE: &str = "INSERT INTO taken SELECT id FROM multica_take_events('forwarder', 500) RETURNING id";

/// Takes events, and sometimes rolls back or loses its session before the commit.
pub struct Reader;

impl Behaviour for Reader {
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

/// Takes the remaining events, after all clients have stopped writing.
pub fn take_remaining(client: &mut Client) -> Result<()> {
    while client.execute(TAKE, &[])? > 0 {}
    Ok(())
}
