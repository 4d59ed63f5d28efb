//! The table of fixed size in shared memory, with one slot per database. The launcher and the workers write it, and
//! sessions read the state of their database from it.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};

/// Maximum number of databases that can be swept. The launcher logs it if there are more.
pub const SLOTS: usize = 64;

/// How many bytes of an error's text are kept.
const TEXT: usize = 500;

/// Microseconds since Postgres' epoch.
pub type Micros = i64;

/// Why a database cannot be swept, according to its catalogues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The extension does not exist there.
    NoExtension,
    /// The SQL objects are of a newer version than the library.
    OlderLibrary,
    /// `multica_install()` has not been run.
    NoTables,
    /// The tables do not all belong to one role.
    SeveralOwners,
    /// The owner of the tables may not use their schema.
    HiddenSchema,
}

/// How a worker's pass over a database ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    /// The worker has swept. `expiry` is when the next runtime goes stale if it sends no heartbeat.
    Swept {
        /// There is more to do at once.
        more: bool,
        /// The moment after which another sweep may find a stale runtime, or at which held verdicts are due, if there is one.
        expiry: Option<Micros>,
    },
    /// Another worker is at work there.
    Busy,
    /// The database cannot be swept.
    Impossible(Obstacle),
    /// An error that no single row caused.
    Failed,
}

/// What is known about one database.
#[derive(Clone, Copy)]
pub struct Slot {
    /// The database; InvalidOid marks a free slot.
    pub database: pg_sys::Oid,
    /// When the last worker began.
    pub last_start: Option<Micros>,
    /// When the last worker that swept ended.
    pub last_end: Option<Micros>,
    /// When the next worker is due.
    pub next_due: Option<Micros>,
    /// Number of failed passes since the last successful pass.
    pub failures: u32,
    /// When the last error happened.
    pub error_at: Option<Micros>,
    /// How many rows a stage may handle in the next pass, if an error or a deadline has made it less than the setting.
    pub batch: Option<i32>,
    /// Whether the SQL objects are of an older version than the library.
    pub needs_update: bool,
    launch: u32,
    report: Option<Report>,
    text: [u8; TEXT],
    text_length: usize,
}

#[derive(Clone, Copy)]
struct Table {
    launcher_pid: i32,
    serving_since: Option<Micros>,
    launches: u32,
    slots: [Slot; SLOTS],
}

const FREE: Slot = Slot {
    database: pg_sys::InvalidOid,
    last_start: None,
    last_end: None,
    next_due: None,
    failures: 0,
    error_at: None,
    batch: None,
    needs_update: false,
    launch: 0,
    report: None,
    text: [0; TEXT],
    text_length: 0,
};

const EMPTY: Table = Table { launcher_pid: 0, serving_since: None, launches: 0, slots: [FREE; SLOTS] };

// SAFETY: the table owns all its bytes, holds no pointers and is only reached through the lock.
unsafe impl PGRXSharedMemory for Table {}

// SAFETY: no other lock of the library has this name.
static TABLE: PgLwLock<Table> = unsafe { PgLwLock::new(c"multica") };
static RESERVED: AtomicBool = AtomicBool::new(false);

/// Requests the shared memory. Must be called while the server preloads its libraries.
#[expect(unexpected_cfgs, reason = "pgrx's macro asks for a Postgres that this crate has no feature for")]
pub fn reserve() {
    pg_shmem_init!(TABLE = EMPTY);
    RESERVED.store(true, Ordering::Relaxed);
}

impl Slot {
    /// Returns the text of the last error.
    pub fn error(&self) -> Option<String> {
        (self.text_length > 0).then(|| String::from_utf8_lossy(&self.text[..self.text_length]).into_owned())
    }

    fn set_error(&mut self, text: &str, at: Micros) {
        let end = text.floor_char_boundary(TEXT);
        self.text[..end].copy_from_slice(&text.as_bytes()[..end]);
        self.text_length = end;
        self.error_at = Some(at);
    }
}

impl Table {
    fn slot(&mut self, database: pg_sys::Oid) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.database == database)
    }
}

/// Records the launcher's process. The server is available since the first launcher began after the memory was made; a
/// launcher that only replaces another launcher does not mean that the server was unavailable.
pub fn launcher_began(pid: i32, now: Micros) {
    let mut table = TABLE.exclusive();
    table.launcher_pid = pid;
    table.serving_since.get_or_insert(now);
}

/// Records that there is no launcher.
pub fn launcher_ended() {
    TABLE.exclusive().launcher_pid = 0;
}

/// Records that the machine was suspended until now, so that daemons could not send heartbeats.
pub fn resumed_at(now: Micros) {
    TABLE.exclusive().serving_since = Some(now);
}

/// Keeps the slots of these databases, frees the others, and assigns a slot to each database; returns the databases for
/// which there is no slot.
pub fn keep(databases: &[pg_sys::Oid]) -> Vec<pg_sys::Oid> {
    let mut table = TABLE.exclusive();
    for slot in &mut table.slots {
        if !databases.contains(&slot.database) {
            *slot = FREE;
        }
    }
    let mut left_over = Vec::new();
    for database in databases {
        if table.slot(*database).is_some() {
            continue;
        }
        match table.slot(pg_sys::InvalidOid) {
            Some(free) => free.database = *database,
            None => left_over.push(*database),
        }
    }
    left_over
}

/// Prepares the slot of a database for a new worker. The returned number distinguishes the report of this worker from a
/// late report of a worker that an earlier launcher started.
pub fn prepare(database: pg_sys::Oid) -> Option<u32> {
    let mut table = TABLE.exclusive();
    table.launches = table.launches.wrapping_add(1);
    let launch = table.launches;
    let slot = table.slot(database)?;
    slot.launch = launch;
    slot.report = None;
    Some(launch)
}

/// Records that a worker holds the database, and returns the smaller batch that the previous worker kept.
pub fn began(database: pg_sys::Oid, needs_update: bool, now: Micros) -> Option<i32> {
    let mut table = TABLE.exclusive();
    let slot = table.slot(database)?;
    slot.last_start = Some(now);
    slot.needs_update = needs_update;
    slot.batch
}

/// Returns since when daemons could reach the server without an interruption; None if the library is not preloaded.
pub fn serving_since() -> Option<Micros> {
    preloaded().then(|| TABLE.share().serving_since)?
}

/// Records the text of an error.
pub fn failed(database: pg_sys::Oid, text: &str, now: Micros) {
    if let Some(slot) = TABLE.exclusive().slot(database) {
        slot.set_error(text, now);
    }
}

/// Records how a worker ended, and the batch with which the next worker begins.
pub fn ended(database: pg_sys::Oid, launch: u32, report: Report, batch: Option<i32>, now: Micros) {
    if let Some(slot) = TABLE.exclusive().slot(database) {
        if slot.launch == launch {
            slot.report = Some(report);
        }
        if report != Report::Busy {
            slot.batch = batch;
        }
        if matches!(report, Report::Swept { .. }) {
            slot.last_end = Some(now);
        }
    }
}

/// Returns the report of the worker that was last prepared, if it made one.
pub fn report(database: pg_sys::Oid) -> Option<Report> {
    of(database)?.report
}

/// Records what the launcher decided about a database.
pub fn scheduled(database: pg_sys::Oid, next_due: Micros, failures: u32) {
    if let Some(slot) = TABLE.exclusive().slot(database) {
        slot.next_due = Some(next_due);
        slot.failures = failures;
    }
}

/// Returns what is known about a database; None also if the library is not preloaded.
pub fn of(database: pg_sys::Oid) -> Option<Slot> {
    preloaded().then(|| {
        let table = TABLE.share();
        table.slots.iter().copied().find(|slot| slot.database == database)
    })?
}

/// Returns the process id of the launcher, if it runs.
pub fn launcher_pid() -> Option<i32> {
    let pid = preloaded().then(|| TABLE.share().launcher_pid)?;
    (pid != 0).then_some(pid)
}

/// Whether the server preloaded the library, without which there is no launcher.
pub fn preloaded() -> bool {
    RESERVED.load(Ordering::Relaxed)
}
