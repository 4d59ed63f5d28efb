//! PgBouncer in transaction mode: no call depends on the state of a database session.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, text, value};
use crate::cluster::SUPERUSER;
use crate::context::Context;
use crate::pooler::Pooler;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] =
    suite![every_call_works_for_two_clients_on_one_connection, open_transaction_of_one_client_makes_the_other_wait,];

/// Two clients alternate on one server connection, statement by statement, each with separate rows. Each client gets
/// the same results as without the other client.
pub fn every_call_works_for_two_clients_on_one_connection(context: &Context) -> Result<()> {
    let calls = text(context, "pooled")?;
    let calls: Vec<&str> = calls.lines().filter(|line| !line.starts_with("--")).collect();
    let database = context.fresh_database()?;
    let mut direct = database.connect()?;
    direct.batch_execute("DROP ROLE IF EXISTS pooled_reader; CREATE ROLE pooled_reader")?;
    for routine in super::grant::routines(&mut direct)? {
        ensure!(
            calls.iter().any(|call| call.contains(&format!("{}(", routine.name))),
            "{} is not called",
            routine.name
        );
    }
    let world = text(context, "grant/world")?;
    let pooler = Pooler::start(&context.project, database.cluster(), &[SUPERUSER])?;
    let mut clients: Vec<(Client, &str)> = Vec::new();
    for own in ["0000000a-", "0000000b-"] {
        direct.batch_execute(&for_client(&world, own))?;
        clients.push((pooler.connect(&database.name, SUPERUSER)?, own));
    }
    // A sweep would trim the old events, and readers that start at the first event would get an error.
    direct.batch_execute("UPDATE multica_event_log SET created_at = now()")?;
    for call in calls {
        for (client, own) in &mut clients {
            client.simple_query(&for_client(call, own)).with_context(|| for_client(call, own))?;
        }
    }
    let left = |own: &str| {
        format!(
            "SELECT string_agg(t.status || ' ' || t.n, ', ' ORDER BY t.status) FROM (
                 SELECT t.status, count(*) AS n FROM agent_task_queue AS t JOIN agent AS a ON a.id = t.agent_id
                 WHERE a.workspace_id = '{own}0000-4000-8000-0000000000a1' GROUP BY 1) AS t"
        )
    };
    let first = value(&mut direct, &left("0000000a-"))?;
    ensure!(first.contains("completed"), "the tasks of the first client are {first}");
    expect(&mut direct, &left("0000000b-"), &first)?;
    let backends = value(
        &mut direct,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
             AND pid <> pg_backend_pid()",
    )?;
    ensure!(backends == "1", "PgBouncer used {backends} connections");
    direct.batch_execute("DROP OWNED BY pooled_reader; DROP ROLE pooled_reader")?;
    Ok(())
}

/// The fixture or a call with ids, names and addresses of one client.
fn for_client(text: &str, own: &str) -> String {
    text.replace("00000000-", own)
        .replace("'ours'", &format!("'ours-{own}'"))
        .replace("'theirs')", &format!("'theirs-{own}')"))
        .replace("olga@", &format!("olga-{own}@"))
        .replace("pooled-00000000", &format!("pooled-{own}"))
}

/// A transaction with calls in it keeps the connection, and its locks end with it. A call of the next client is not
/// part of that transaction.
pub fn open_transaction_of_one_client_makes_the_other_wait(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    database.fixture("grant/world")?;
    let pooler = Pooler::start(&context.project, database.cluster(), &[SUPERUSER])?;
    let mut first = pooler.connect(&database.name, SUPERUSER)?;
    let mut second = pooler.connect(&database.name, SUPERUSER)?;
    let take = "SELECT count(*) FROM multica_take_events('mailer')";
    let before = value(&mut first, take)?;
    ensure!(before != "0", "the fixture has no events");
    first.simple_query("BEGIN")?;
    first.simple_query("SELECT FROM multica_enqueue('00000000-0000-4000-8000-0000000000c1', '{}')")?;
    let (done, waiting) = mpsc::channel();
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            let taken = value(&mut second, take);
            let _ = done.send(taken);
        });
        let early = waiting.recv_timeout(Duration::from_millis(200));
        ensure!(early.is_err(), "the second client did not wait");
        first.simple_query("COMMIT")?;
        let taken = waiting.recv_timeout(super::support::LIMIT)??;
        ensure!(taken == "1", "took {taken} events");
        Ok(())
    })?;
    // The same server connection has recorded events before. It must take the lock that holds back readers in every
    // transaction.
    first.simple_query("BEGIN")?;
    first.simple_query("SELECT FROM multica_enqueue('00000000-0000-4000-8000-0000000000c1', '{}')")?;
    let mut direct = database.connect()?;
    direct.batch_execute("SELECT FROM multica_heartbeat('00000000-0000-4000-8000-0000000000b2')")?;
    expect(&mut direct, take, "0")?;
    first.simple_query("COMMIT")?;
    expect(&mut direct, take, "2")
}
