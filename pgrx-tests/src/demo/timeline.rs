//! Prints what happens, in the order of its time: what the demo does to machines, what daemons print, and the events.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use postgres::Client;
use serde_json::Value;

use super::event_text::Names;
use super::machine::Printed;

/// The name under which the demo reads events.
const READER: &str = "demo";
const TAKE: &str = "SELECT created_at, type, payload FROM multica_take_events($1)";
/// How long a line waits for an earlier one that arrives later.
const WAIT: Duration = Duration::from_millis(300);
/// After this long without a line, the reader is told what the demo waits for.
const QUIET: Duration = Duration::from_secs(15);

struct Line {
    at: SystemTime,
    who: String,
    what: String,
}

/// An event that was read.
pub struct Event {
    /// When it was recorded.
    pub at: SystemTime,
    /// Its type.
    pub kind: String,
    /// The issue that it is about, if there is one.
    pub issue: Option<String>,
}

/// Collects lines and prints them.
pub struct Timeline {
    client: Client,
    started: SystemTime,
    output: (Sender<Printed>, Receiver<Printed>),
    lines: Vec<Line>,
    last_printed: SystemTime,
    names: Names,
    /// All events read so far, in order.
    pub events: Vec<Event>,
}

impl Timeline {
    /// A reader that starts at the oldest event. Its time begins now.
    pub fn new(client: Client) -> Timeline {
        let now = SystemTime::now();
        let names = Names::default();
        Timeline {
            client,
            started: now,
            output: channel(),
            lines: Vec::new(),
            last_printed: now,
            names,
            events: Vec::new(),
        }
    }

    /// Where daemons send what they print.
    pub fn output(&self) -> Sender<Printed> {
        self.output.0.clone()
    }

    /// Reads the events so far without printing them, and begins the time anew.
    pub fn begin(&mut self) -> Result<()> {
        self.take()?;
        self.lines.clear();
        self.started = SystemTime::now();
        self.last_printed = self.started;
        Ok(())
    }

    /// Adds a line about what the demo does to a machine.
    pub fn tell(&mut self, machine: &str, what: &str) {
        self.lines.push(Line { at: SystemTime::now(), who: machine.into(), what: format!("* {what}") });
    }

    /// Adds what is new, and prints what is old enough. After a while without a line it prints what the demo waits for.
    pub fn proceed(&mut self, waiting: Option<String>) -> Result<()> {
        self.take()?;
        while let Ok(printed) = self.output.1.try_recv() {
            self.lines.push(Line { at: printed.at, who: printed.machine, what: printed.text });
        }
        let now = SystemTime::now();
        if self.lines.is_empty()
            && since(self.last_printed, now) >= QUIET
            && let Some(what) = waiting
        {
            self.lines.push(Line { at: now - WAIT, who: "(waiting)".into(), what });
        }
        self.print(now - WAIT);
        Ok(())
    }

    /// Prints all lines.
    pub fn finish(&mut self) {
        self.print(SystemTime::now());
    }

    /// How long ago the task of this issue failed; None if it did not.
    pub fn since_failure(&self, issue: &str) -> Option<Duration> {
        let mut events = self.events.iter();
        let failed = events.find(|event| event.kind == "task:failed" && event.issue.as_deref() == Some(issue))?;
        Some(since(failed.at, SystemTime::now()))
    }

    /// Events with the same time were recorded by the same call, so in one transaction.
    fn take(&mut self) -> Result<()> {
        let rows = self.client.query(TAKE, &[&READER])?;
        if rows.is_empty() {
            return Ok(());
        }
        self.names.refresh(&mut self.client)?;
        for row in rows {
            let (at, kind, payload): (SystemTime, String, Value) = (row.get(0), row.get(1), row.get(2));
            if let Some(what) = self.names.text(at, &kind, &payload) {
                match self.lines.last_mut() {
                    Some(line) if line.at == at => line.what = format!("{}\n{what}", line.what),
                    _ => {
                        let who = if payload["sweep_id"].is_null() { "database" } else { "sweep" };
                        self.lines.push(Line { at, who: who.into(), what });
                    }
                }
            }
            self.events.push(Event { at, kind, issue: self.names.issue(&payload) });
        }
        Ok(())
    }

    /// Prints the lines up to this time.
    fn print(&mut self, until: SystemTime) {
        self.lines.sort_by_key(|line| line.at);
        for line in self.lines.extract_if(.., |line| line.at <= until) {
            let seconds = since(self.started, line.at).as_secs();
            let mut time = format!("{}:{:02}", seconds / 60, seconds % 60);
            let mut who = line.who;
            for what in line.what.lines() {
                println!("{time:>5}  {who:<11}  {what}");
                (time, who) = (String::new(), String::new());
            }
            self.last_printed = SystemTime::now();
        }
    }
}

fn since(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}
