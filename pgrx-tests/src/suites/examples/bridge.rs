//! The example bridge is killed, and loses Redis and Postgres.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::process::{Example, Program, random};
use crate::cluster::{Cluster, Options, PORT};
use crate::context::Context;
use crate::database::Database;
use crate::redis::Redis;
use crate::suites::grant::holder;
use crate::suites::support::{LIMIT, expect, hold_stop, id, number, team, terminate, value, values};

/// The default number of kills at random moments.
const KILLS: u64 = 8;

/// The runtimes that each event is about.
const ABOUT: &str = "SELECT e.id, r.runtime
    FROM multica_event_log AS e
    CROSS JOIN LATERAL (
        SELECT jsonb_path_query(e.payload, '$.runtime_ids[*]') #>> '{}' WHERE e.type = 'daemon:register'
        UNION ALL SELECT e.payload #>> '{agent,runtime_id}' WHERE e.type = 'agent:status'
        UNION ALL SELECT e.payload ->> 'runtime_id' WHERE e.type ~ '^(task|chat):'
    ) AS r (runtime)
    WHERE r.runtime IS NOT NULL";

/// The bridge is killed at random moments while tasks run, Redis is killed once, and the session of the bridge is
/// terminated once. Afterwards the stream has every event, and no version key moved less often than its runtime has events.
pub fn killed_bridge_skips_no_event(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let kills = number("MULTICA_KILLS", KILLS)?;
    let mut redis = Redis::start(&context.project, database.cluster())?;
    let bridge = Bridge::new(context, &database, &redis)?;
    let enough = AtomicBool::new(false);
    let last = std::thread::scope(|scope| -> Result<Program> {
        let work = scope.spawn(|| work_until(&database, &enough));
        let killed = kill_and_start(&bridge, kills, &mut redis, &mut client);
        // The work must also stop if the bridge could not be started.
        enough.store(true, Ordering::Release);
        let worked = work.join();
        worked.map_err(|_| anyhow::anyhow!("the thread that works panicked"))??;
        killed
    });
    let mut last = last?;
    Cluster::wait_until("every event has been taken", LIMIT, || {
        ensure!(last.runs()?, "the bridge has ended by itself");
        Ok(value(&mut client, "SELECT behind FROM multica_list_readers()")? == "0")
    })?;
    ensure_nothing_is_missing(&mut client, &redis)
}

/// Starts the bridge, kills it, and starts it again; the last bridge is not killed. Between two kills at least one event
/// reaches Redis, because otherwise a slow machine would kill each bridge before it does anything.
fn kill_and_start(bridge: &Bridge, kills: u64, redis: &mut Redis, client: &mut Client) -> Result<Program> {
    for kill in 0..kills {
        let before = length(redis)?;
        let mut program = bridge.start()?;
        Cluster::wait_until("an event arrives between two kills", LIMIT, || Ok(length(redis)? > before))?;
        std::thread::sleep(Duration::from_millis(random(200)));
        if kill == kills / 3 {
            redis.kill()?;
            std::thread::sleep(Duration::from_millis(random(500)));
            ensure!(program.runs()?, "the bridge has ended because of Redis");
            redis.start_again()?;
        }
        if kill == 2 * kills / 3 {
            client.batch_execute(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'",
                bridge.role
            ))?;
            let before = length(redis)?;
            Cluster::wait_until("an event arrives after the loss of the session", LIMIT, || {
                ensure!(program.runs()?, "the bridge has ended because of Postgres");
                Ok(length(redis)? > before)
            })?;
        }
        program.kill()?;
    }
    bridge.start()
}

/// Work on all runtimes, whose events are of every type that names a runtime.
fn work_until(database: &Database, enough: &AtomicBool) -> Result<()> {
    let mut client = database.connect()?;
    let mut round = 0;
    while !enough.load(Ordering::Acquire) {
        round += 1;
        client.batch_execute("SELECT FROM agent AS a, multica_enqueue(a.id, '{\"runtime_ids\": 1, \"agent\": 1}')")?;
        client.batch_execute(&format!("SELECT multica_deregister(ARRAY[{}]::uuid[])", id("b2")))?;
        for task in values(&mut client, "SELECT c.id FROM agent_runtime AS r, multica_claim(r.id, 9) AS c")? {
            let end = match round % 3 {
                0 => format!("multica_complete('{task}')"),
                1 => format!("multica_fail('{task}', 'it went wrong')"),
                _ => format!("multica_cancel('{task}')"),
            };
            client.batch_execute(&format!("SELECT FROM multica_start('{task}'); SELECT FROM {end}"))?;
        }
        client.batch_execute(&format!("SELECT FROM multica_heartbeat({})", id("b2")))?;
    }
    Ok(())
}

/// Compares the stream and the version keys with the event log.
fn ensure_nothing_is_missing(client: &mut Client, redis: &Redis) -> Result<()> {
    let log = values(client, "SELECT id FROM multica_event_log ORDER BY id")?;
    let mut read: Vec<String> = Vec::new();
    let mut last = 0_i64;
    for event in stream(redis)? {
        let number = event.parse()?;
        if number > last {
            last = number;
            read.push(event);
        }
    }
    ensure!(log.len() > 100, "only {} events were recorded", log.len());
    ensure!(read == log, "a reader of the stream gets {} events of {}", read.len(), log.len());
    let counts = values(client, &format!("SELECT runtime, count(*) FROM ({ABOUT}) AS a GROUP BY runtime"))?;
    ensure!(counts.len() == 3, "the events are about these runtimes: {counts:?}");
    for line in counts {
        let (runtime, events) = line.split_once(' ').context("two columns")?;
        let version = version(redis, runtime)?;
        ensure!(version >= events.parse()?, "runtime {runtime} has {events} events, and its key is at {version}");
    }
    Ok(())
}

/// If the bridge dies after Redis was told and before the position is committed, the event is sent again. If Redis does not
/// answer, the position is not committed.
pub fn bridge_killed_before_commit_sends_the_event_again(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    database.fixture("stop")?;
    client.batch_execute(
        "CREATE CONSTRAINT TRIGGER stop AFTER UPDATE ON multica_event_reader DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION stop_here()",
    )?;
    let mut redis = Redis::start(&context.project, database.cluster())?;
    let bridge = Bridge::new(context, &database, &redis)?;
    let runtime = value(&mut client, &format!("SELECT {}::uuid", id("b9")))?;
    let (key, enqueue) = (key(&runtime), format!("SELECT FROM multica_enqueue({})", id("c9")));
    let mut wakes = redis.subscribe("multica:wake")?;

    let stop = hold_stop(&database)?;
    client.batch_execute(&enqueue)?;
    let mut program = bridge.start()?;
    Cluster::wait_until("Redis has been told", LIMIT, || Ok(version(&redis, &runtime)? == 1))?;
    bridge.kill_with_session(&mut program, &mut client)?;
    drop(stop);
    let mut program = bridge.start()?;
    Cluster::wait_until("Redis has been told again", LIMIT, || Ok(version(&redis, &runtime)? == 2))?;
    for _ in 0..2 {
        let message = wakes.receive()?;
        ensure!(message.last() == Some(&runtime), "daemons are woken with {message:?}");
    }
    let sent = stream(&redis)?;
    ensure!(sent.len() == 2 && sent[0] == sent[1], "the stream has {sent:?}");
    let seconds: i64 = redis.run(&["TTL", &key])?.concat().parse()?;
    ensure!((80_000..=86_400).contains(&seconds), "the key is kept for {seconds} s");
    wait_until_taken(&mut client)?;

    redis.freeze()?;
    client.batch_execute(&enqueue)?;
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}' AND state = 'idle in transaction'",
        bridge.role
    );
    Cluster::wait_until("the bridge waits for Redis", LIMIT, || Ok(value(&mut client, &waits)? == "1"))?;
    bridge.kill_with_session(&mut program, &mut client)?;
    redis.kill()?;
    redis.start_again()?;
    let _program = bridge.start()?;
    Cluster::wait_until("the second event arrives", LIMIT, || Ok(version(&redis, &runtime)? >= 3))?;
    client.batch_execute(
        "SELECT FROM agent_runtime AS r, multica_claim(r.id) AS c, multica_fail(c.id, 'the password is 1234')",
    )?;
    Cluster::wait_until("the failure arrives", LIMIT, || {
        let text = redis.run(&["XRANGE", "multica:events", "-", "+"])?.concat();
        ensure!(!text.contains("1234"), "the stream has the text of an error");
        Ok(text.contains("task:failed"))
    })
}

/// The bridge waits for Redis and for Postgres while they are down, and ends when it is told to.
pub fn bridge_outlives_redis_and_postgres(context: &Context) -> Result<()> {
    let cluster = context.cluster(&Options::new("bridge"))?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("team")?;
    let mut redis = Redis::start(&context.project, &cluster)?;
    let bridge = Bridge::new(context, &database, &redis)?;
    let runtime = value(&mut database.connect()?, &format!("SELECT {}::uuid", id("b9")))?;
    let sql = format!("SELECT FROM multica_enqueue({})", id("c9"));
    let enqueue = || database.connect()?.batch_execute(&sql).context("cannot enqueue");
    redis.kill()?;
    enqueue()?;
    let mut program = bridge.start()?;
    let mut client = database.connect()?;
    let taken = format!("SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = '{}'", bridge.role);
    Cluster::wait_until("the bridge has connected", LIMIT, || Ok(value(&mut client, &taken)? == "t"))?;
    redis.start_again()?;
    Cluster::wait_until("the event arrives when Redis is back", LIMIT, || Ok(version(&redis, &runtime)? == 1))?;
    wait_until_taken(&mut client)?;
    drop(client);
    cluster.restart()?;
    enqueue()?;
    Cluster::wait_until("an event arrives after a restart of Postgres", LIMIT, || {
        ensure!(program.runs()?, "the bridge has ended because of the restart");
        Ok(version(&redis, &runtime)? == 2)
    })?;
    program.terminate()?;
    let status = program.wait()?;
    ensure!(status.success(), "the bridge ended with {status}");
    let mut client = database.connect()?;
    expect(&mut client, "SELECT reader, behind FROM multica_list_readers()", "bridge 0")
}

/// A bridge that cannot work says why, and ends.
pub fn bridge_explains_why_it_cannot_work(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let redis = Redis::start(&context.project, database.cluster())?;
    let bridge = Bridge::new(context, &database, &redis)?;
    let (postgres, url) = (bridge.database.as_str(), bridge.redis.as_str());
    let stranger =
        postgres.replace(&format!("user={}", bridge.role), &format!("user={}", holder(&database, "daemon")?));
    for (environment, expected) in [
        (vec![("REDIS_URL", url)], "DATABASE_URL is not set"),
        (vec![("DATABASE_URL", postgres)], "REDIS_URL is not set"),
        (vec![("DATABASE_URL", postgres), ("REDIS_URL", "localhost")], "REDIS_URL: "),
        (vec![("DATABASE_URL", "nonsense"), ("REDIS_URL", url)], "missing \"=\""),
        (vec![("DATABASE_URL", postgres), ("REDIS_URL", url), ("VERSION_KEY", "version:")], "without the word RUNTIME"),
        (vec![("DATABASE_URL", &stranger), ("REDIS_URL", url)], "permission denied for function multica_take_events"),
    ] {
        let text = bridge.example.failure(&environment)?;
        ensure!(text.contains(expected), "{environment:?}: {text:?} lacks {expected:?}");
    }
    let enqueue = format!("SELECT FROM multica_enqueue({})", id("c9"));
    let age = "UPDATE multica_event_log SET created_at = now() - interval '1 year'";
    for call in [&enqueue, "SELECT FROM multica_take_events('bridge', 1)", &enqueue, age, "SELECT FROM multica_sweep()"]
    {
        client.batch_execute(call)?;
    }
    let text = bridge.example.failure(&[("DATABASE_URL", postgres), ("REDIS_URL", url)])?;
    ensure!(text.contains("SELECT multica_forget_reader('bridge');"), "after a gap: {text:?}");
    client.batch_execute("SELECT multica_forget_reader('bridge')")?;
    let mut program = bridge.start()?;
    Cluster::wait_until("a forgotten reader begins again", LIMIT, || {
        ensure!(program.runs()?, "the bridge has ended by itself");
        Ok(value(&mut client, "SELECT behind FROM multica_list_readers()")? == "0")
    })
}

/// The example, its settings, and the role that it connects as.
struct Bridge {
    example: Example,
    role: String,
    database: String,
    redis: String,
}

impl Bridge {
    fn new(context: &Context, database: &Database, redis: &Redis) -> Result<Bridge> {
        let role = holder(database, "reader")?;
        let folder = database.cluster().socket_folder();
        let url = format!("host={} port={PORT} user={role} dbname={}", folder.display(), database.name);
        let example = Example::copy(context, "bridge.py")?;
        Ok(Bridge { example, role, database: url, redis: redis.url() })
    }

    fn start(&self) -> Result<Program> {
        self.example.start(&[], &[("DATABASE_URL", &self.database), ("REDIS_URL", &self.redis)])
    }

    /// Kills the bridge, and the session that it leaves, which may not have noticed that.
    fn kill_with_session(&self, program: &mut Program, observer: &mut Client) -> Result<()> {
        program.kill()?;
        for pid in values(observer, &format!("SELECT pid FROM pg_stat_activity WHERE usename = '{}'", self.role))? {
            terminate(observer, pid.parse()?)?;
        }
        Ok(())
    }
}

/// Waits until the position after the last event is committed.
fn wait_until_taken(client: &mut Client) -> Result<()> {
    Cluster::wait_until("every event has been taken", LIMIT, || {
        Ok(value(client, "SELECT behind FROM multica_list_readers()")? == "0")
    })
}

fn key(runtime: &str) -> String {
    format!("mul:claim:runtime:version:{runtime}")
}

/// How often the version key of a runtime has moved.
fn version(redis: &Redis, runtime: &str) -> Result<i64> {
    let found = redis.run(&["GET", &key(runtime)])?.concat();
    Ok(if found.is_empty() { 0 } else { found.parse()? })
}

/// The number of events in the stream.
fn length(redis: &Redis) -> Result<u64> {
    Ok(redis.run(&["XLEN", "multica:events"])?.concat().parse()?)
}

/// The ids of the events in the stream.
fn stream(redis: &Redis) -> Result<Vec<String>> {
    let values = redis.run(&["XRANGE", "multica:events", "-", "+"])?;
    let entries = values.chunks(9).map(|entry| {
        let fields: HashMap<_, _> = entry[1..].chunks(2).map(|it| (it[0].as_str(), it[1].as_str())).collect();
        fields.get("id").map(|id| id.to_string())
    });
    entries.collect::<Option<_>>().context("every entry of the stream has the id of its event")
}
