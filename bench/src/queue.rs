//! A queue on Postgres as four statements: enqueue, claim, start, complete. The same client runs every side, so that
//! differences between the results come from the server.

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Row, Statement};
use uuid::Uuid;

/// The texts of a side's statements, by name. A statement whose name ends in `_many` handles a whole batch; if a side
/// has none, the statement for one task is called for each task.
pub type Texts = BTreeMap<String, String>;

/// Names that statements may use for their parameters, as `:name`.
const PARAMETERS: [&str; 6] = ["worker", "count", "id", "ids", "token", "tokens"];

/// The id of a task or worker, or a claim token, in whichever type a side uses.
#[derive(Debug, Clone)]
pub enum Key {
    /// bigint or integer
    Number(i64),
    /// uuid
    Uuid(Uuid),
    /// text
    Text(String),
}

impl<'a> FromSql<'a> for Key {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Key, Box<dyn Error + Sync + Send>> {
        Ok(match *kind {
            Type::UUID => Key::Uuid(Uuid::from_sql(kind, raw)?),
            Type::INT8 => Key::Number(i64::from_sql(kind, raw)?),
            _ => Key::Text(String::from_sql(kind, raw)?),
        })
    }

    fn accepts(kind: &Type) -> bool {
        [Type::UUID, Type::INT8, Type::TEXT].contains(kind)
    }
}

impl ToSql for Key {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Key::Number(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Key::Number(number) => number.to_sql(kind, out),
            Key::Uuid(id) => id.to_sql(kind, out),
            Key::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::UUID, Type::INT8, Type::INT4, Type::TEXT].contains(kind)
    }

    to_sql_checked!();
}

/// A prepared statement, and the names of its parameters.
struct Call {
    statement: Statement,
    parameters: Vec<&'static str>,
}

/// The values of the parameters of a call.
struct Values<'a> {
    worker: &'a Key,
    count: Key,
    ids: &'a [Key],
    tokens: &'a [Key],
}

impl Call {
    fn prepare(client: &mut Client, text: &str) -> Result<Call> {
        let (text, parameters) = numbered(text);
        let statement = client.prepare(&text).with_context(|| text)?;
        Ok(Call { statement, parameters })
    }

    fn run(&self, client: &mut Client, values: &Values) -> Result<Vec<Row>> {
        let given: Vec<&(dyn ToSql + Sync)> = self
            .parameters
            .iter()
            .map(|name| -> &(dyn ToSql + Sync) {
                match *name {
                    "worker" => values.worker,
                    "count" => &values.count,
                    "id" => &values.ids[0],
                    "ids" => &values.ids,
                    "token" => &values.tokens[0],
                    _ => &values.tokens,
                }
            })
            .collect();
        Ok(client.query(&self.statement, &given)?)
    }
}

/// Replaces named parameters by numbered ones, and returns the names in the order of the numbers.
fn numbered(text: &str) -> (String, Vec<&'static str>) {
    let mut parameters: Vec<&'static str> = Vec::new();
    let mut numbered = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let end = after.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(after.len());
        let known = PARAMETERS.iter().find(|name| **name == &after[..end]);
        numbered.push_str(before);
        match known {
            Some(name) if !before.ends_with(':') => {
                let place = parameters.iter().position(|one| one == name);
                let place = place.unwrap_or_else(|| {
                    parameters.push(name);
                    parameters.len() - 1
                });
                numbered.push_str(&format!("${}", place + 1));
                rest = &after[end..];
            }
            _ => {
                numbered.push(':');
                rest = after;
            }
        }
    }
    numbered.push_str(rest);
    (numbered, parameters)
}

/// The database session of one worker.
pub struct Session {
    client: Client,
    worker: Key,
    calls: BTreeMap<String, Call>,
    /// Whether a claim returns a token after the id. Later steps pass the token.
    has_tokens: bool,
}

/// What a worker did in the given time.
pub struct Done {
    /// Tasks that were completed.
    pub tasks: usize,
    /// Microseconds that each step took, divided by the number of its tasks.
    pub steps: BTreeMap<&'static str, Vec<f64>>,
}

/// After this many executions Postgres has chosen between custom and generic plans.
const WARM_UP: usize = 6;

/// The steps of a task.
pub const STEPS: [&str; 4] = ["enqueue", "claim", "start", "complete"];

impl Session {
    /// Prepares every statement of the side.
    pub fn prepare(mut client: Client, worker: Key, texts: &Texts) -> Result<Session> {
        let calls: BTreeMap<String, Call> = texts
            .iter()
            .map(|(name, text)| Ok((name.clone(), Call::prepare(&mut client, text)?)))
            .collect::<Result<_>>()?;
        let has_tokens = calls.values().any(|call| call.parameters.contains(&"token"));
        Ok(Session { client, worker, calls, has_tokens })
    }

    /// Runs each statement often enough for Postgres to choose its plan. A real daemon keeps its session for days, so
    /// this cost must not be measured.
    pub fn warm_up(&mut self, batch: usize) -> Result<()> {
        for _ in 0..WARM_UP {
            self.round(batch, &mut |_, _| ())?;
        }
        Ok(())
    }

    /// Runs all steps repeatedly for some time, `batch` tasks at once.
    pub fn work(&mut self, batch: usize, limit: Duration) -> Result<Done> {
        let began = Instant::now();
        let mut done = Done { tasks: 0, steps: BTreeMap::new() };
        while began.elapsed() < limit {
            done.tasks += self.round(batch, &mut |step, took| {
                let each = took.as_secs_f64() * 1e6 / batch as f64;
                done.steps.entry(step).or_default().push(each);
            })?;
        }
        Ok(done)
    }

    /// Runs every step once for a batch. Returns how many tasks were claimed.
    fn round(&mut self, batch: usize, note: &mut dyn FnMut(&'static str, Duration)) -> Result<usize> {
        let (mut ids, mut tokens) = (Vec::new(), Vec::new());
        for step in STEPS {
            let asked = Instant::now();
            match step {
                "enqueue" => self.enqueue(batch)?,
                "claim" => (ids, tokens) = self.claim(batch)?,
                _ => self.each(step, batch, &ids, &tokens)?,
            }
            note(step, asked.elapsed());
        }
        Ok(ids.len())
    }

    /// Enqueues tasks.
    pub fn enqueue(&mut self, count: usize) -> Result<()> {
        if count > 1 && self.calls.contains_key("enqueue_many") {
            self.call("enqueue_many", count, &[], &[])?;
            return Ok(());
        }
        for _ in 0..count {
            self.call("enqueue", 1, &[], &[])?;
        }
        Ok(())
    }

    /// Claims up to `count` tasks. Returns their ids, and their claim tokens if the side has them.
    pub fn claim(&mut self, count: usize) -> Result<(Vec<Key>, Vec<Key>)> {
        let many = count > 1 && self.calls.contains_key("claim_many");
        let (name, calls) = if many { ("claim_many", 1) } else { ("claim", count) };
        let mut claimed = (Vec::new(), Vec::new());
        for _ in 0..calls {
            for row in self.call(name, count, &[], &[])? {
                claimed.0.push(row.get(0));
                if self.has_tokens {
                    claimed.1.push(row.get(1));
                }
            }
        }
        Ok(claimed)
    }

    fn each(&mut self, step: &str, batch: usize, ids: &[Key], tokens: &[Key]) -> Result<()> {
        let many = format!("{step}_many");
        if batch > 1 && self.calls.contains_key(&many) {
            self.call(&many, ids.len(), ids, tokens)?;
        } else if self.calls.contains_key(step) {
            for (at, id) in ids.iter().enumerate() {
                let token = tokens.get(at).map_or(&[][..], std::slice::from_ref);
                self.call(step, 1, std::slice::from_ref(id), token)?;
            }
        }
        Ok(())
    }

    fn call(&mut self, name: &str, count: usize, ids: &[Key], tokens: &[Key]) -> Result<Vec<Row>> {
        let values = Values { worker: &self.worker, count: Key::Number(i64::try_from(count)?), ids, tokens };
        self.calls[name].run(&mut self.client, &values).with_context(|| format!("{name} of {count}"))
    }
}

/// Runs the same job in all sessions at the same time.
pub fn together<T: Send>(sessions: &mut [Session], job: impl Fn(&mut Session) -> Result<T> + Sync) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let job = &job;
        let threads: Vec<_> = sessions.iter_mut().map(|session| scope.spawn(move || job(session))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker does not panic")).collect()
    })
}
