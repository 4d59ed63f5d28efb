//! The launcher's readings of the settings of databases: in which database and when a settings reader is started, and
//! what follows if it fails.

use std::collections::HashMap;

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;

use super::catalogue::{self, Database};
use super::ffi::Started;
use super::schedule::back_off;
use super::settings_list::{self, Setting};
use super::shared::Micros;
use super::{transaction, word};
use crate::settings;

/// How long sweeps wait for a reader. It usually needs milliseconds, but it must wait while another session locks the
/// database that it connects to: CREATE DATABASE … TEMPLATE and ALTER DATABASE … SET TABLESPACE lock it while they
/// copy.
const PATIENCE: i64 = 1_000_000;

/// A reader that still runs after this time is terminated.
const OVERSTAY: i64 = 6_000_000;

/// The result of a reading.
pub struct Outcome {
    /// The settings, one per database.
    pub settings: Vec<Setting>,
    /// How many databases have a setting that the list had no place for.
    pub omitted: usize,
    /// The databases as they were when the reading began.
    pub databases: Vec<Database>,
}

/// The result of an attempt to begin a reading.
pub enum Beginning {
    /// A reader was started.
    Started,
    /// The server has no slot for a background worker.
    NoSlot,
    /// There is no database to read in, for now.
    NoDatabase,
}

/// All that the launcher knows about its readings.
#[derive(Default)]
pub struct Readings {
    underway: Option<Reader>,
    /// When the last successful reading ended.
    read_at: Option<Micros>,
    /// No reading is begun before this moment, after there was no database to read in.
    held_until: Micros,
    failed: HashMap<pg_sys::Oid, Failures>,
    /// What was logged last about `multica.launcher_database`.
    complaint: Option<String>,
}

struct Reader {
    process: Started,
    number: u32,
    database: pg_sys::Oid,
    began: Micros,
    ends_at: Micros,
    databases: Vec<Database>,
}

struct Failures {
    in_a_row: u32,
    again_at: Micros,
}

impl Readings {
    /// Returns the microseconds since the last successful reading; the highest number if there was none.
    pub fn age(&self, now: Micros) -> i64 {
        self.read_at.map_or(i64::MAX, |at| now - at)
    }

    /// Whether a reading can be begun.
    pub fn is_free(&self, now: Micros) -> bool {
        self.underway.is_none() && self.held_until <= now
    }

    /// Whether a reader is running.
    pub fn is_underway(&self) -> bool {
        self.underway.is_some()
    }

    /// Whether sweeps must wait for the result of a reading.
    pub fn is_awaited(&self, now: Micros) -> bool {
        self.awaited_until().is_some_and(|moment| now < moment)
    }

    /// Returns the moment until which sweeps wait for the result.
    pub fn awaited_until(&self) -> Option<Micros> {
        Some(self.underway.as_ref()?.began.saturating_add(PATIENCE))
    }

    /// Returns the moment at which the next reading is due, or at which the current reader is terminated.
    pub fn next_moment(&self, now: Micros, interval: i64) -> Micros {
        match &self.underway {
            Some(reader) => reader.ends_at,
            None => self.read_at.map_or(now, |at| at.saturating_add(interval)).max(self.held_until),
        }
    }

    /// Ends all delays, after the clock was set back or the configuration was read again.
    pub fn put_nothing_off(&mut self, now: Micros) {
        self.read_at = None;
        self.held_until = now;
        self.failed.clear();
        if let Some(reader) = &mut self.underway {
            reader.began = reader.began.min(now);
            reader.ends_at = reader.ends_at.min(now.saturating_add(OVERSTAY));
        }
    }

    /// Starts a reader in `multica.launcher_database`, otherwise in another database that allows connections.
    pub fn begin(&mut self, now: Micros, interval: i64) -> Beginning {
        let read = transaction::run("reading the list of databases", catalogue::databases);
        let databases = match read {
            Ok(databases) => databases,
            Err(failure) => {
                log!("multica launcher: {}", failure.text);
                return self.hold(now, interval);
            }
        };
        let wanted = settings::launcher_database();
        let wanted = wanted.to_string_lossy();
        let mut candidates: Vec<&Database> = databases.iter().filter(|database| database.is_connectable).collect();
        candidates.sort_by_key(|database| (database.name != wanted, database.is_template, database.oid.to_u32()));
        self.complain(&wanted, &databases, candidates.first().copied());
        let chosen = candidates
            .iter()
            .find(|database| self.failed.get(&database.oid).is_none_or(|failures| failures.again_at <= now));
        let Some(database) = chosen.map(|database| database.oid) else {
            return self.hold(now, interval);
        };
        let number = settings_list::begin();
        let builder = BackgroundWorkerBuilder::new("multica settings reader")
            .set_library("multica")
            .set_function("multica_settings_reader_main")
            .enable_spi_access()
            .set_argument(Some(word::pack(database, number)));
        let Some(process) = Started::start(builder) else {
            return Beginning::NoSlot;
        };
        self.underway =
            Some(Reader { process, number, database, began: now, ends_at: now.saturating_add(OVERSTAY), databases });
        Beginning::Started
    }

    fn hold(&mut self, now: Micros, interval: i64) -> Beginning {
        self.held_until = now.saturating_add(interval);
        Beginning::NoDatabase
    }

    /// Logs what is wrong with the setting, once per change. An empty setting means any database.
    fn complain(&mut self, wanted: &str, databases: &[Database], used: Option<&Database>) {
        let consequence = match used {
            Some(database) => format!("\"{}\" is used instead", database.name),
            None => "no other database allows connections either, so no database is swept".to_owned(),
        };
        let named = databases.iter().find(|database| database.name == wanted);
        let complaint = match named {
            Some(database) if database.is_connectable => None,
            Some(_) => Some(format!(
                "multica.launcher_database is \"{wanted}\", which does not allow connections; {consequence}"
            )),
            None if wanted.is_empty() && used.is_some() => None,
            None => Some(format!("multica.launcher_database is \"{wanted}\", which does not exist; {consequence}")),
        };
        if let Some(text) = &complaint
            && self.complaint != complaint
        {
            log!("multica launcher: {text}");
        }
        self.complaint = complaint;
    }

    /// Returns the result of the reading whose reader has ended; None while no reader has ended, or if it failed.
    pub fn collect(&mut self, now: Micros, interval: i64) -> Option<Outcome> {
        let reader = self.underway.as_mut()?;
        if !reader.process.ended() {
            if reader.ends_at <= now {
                reader.process.terminate();
                reader.ends_at = Micros::MAX;
            }
            return None;
        }
        let reader = self.underway.take()?;
        let Some((settings, omitted)) = settings_list::take(reader.number) else {
            self.put_off(&reader, now, interval);
            return None;
        };
        self.failed.remove(&reader.database);
        self.read_at = Some(now);
        Some(Outcome { settings, omitted, databases: reader.databases })
    }

    /// Delays the next reading in this database after a failure; another database is used in the meantime. The result
    /// of the last successful reading stays valid.
    fn put_off(&mut self, reader: &Reader, now: Micros, interval: i64) {
        let failures = self.failed.entry(reader.database).or_insert(Failures { in_a_row: 0, again_at: now });
        failures.in_a_row += 1;
        failures.again_at = now.saturating_add(back_off(interval, failures.in_a_row));
        let name = reader
            .databases
            .iter()
            .find(|database| database.oid == reader.database)
            .map_or("", |database| &database.name);
        log!(
            "multica launcher: the settings of databases could not be read in database \"{name}\"; multica.launcher_database can name another database"
        );
    }
}
