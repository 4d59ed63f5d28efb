//! The fixed table in shared memory of launcher, workers and sessions that ask for their state: one slot per database.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};

/// Most databases that can be swept; the launcher logs it once when there are more.
pub const SLOTS: usize = 64;

/// Bytes of an error's text that are kept.
const TEXT: usize = 500;

/// Microseconds since Postgres' epoch.
pub type Micros = i64;

/// Why a database cannot be swept, as its catalogues say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The extension is not there.
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
    /// It swept. `expiry` is when the next runtime would go stale without a beat.
    Swept {
        /// There is more to do at once.
        more: bool,
        /// The moment after which a further look pays, if there is one.
        expiry: Option<Micros>,
    },
    /// The daemons get this long to beat again after the server was away.
    Deferred {
        /// The first moment at which the database may be swept.
        until: Micros,
    },
    /// Another worker is at work there.
    Busy,
    /// There is nothing to sweep.
    Impossible(Obstacle),
    /// An error that is not one row's.
    Failed,
}

/// What is known of one database.
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
    /// Passes that failed since the last one that did not.
    pub failures: u32,
    /// When the last error happened.
    pub error_at: Option<Micros>,
    /// Rows a stage may take in the next pass, where an error or a deadline made it less than the setting.
    pub batch: Option<i32>,
    /// Whether the SQL objects are of an older version than the library.
    pub needs_update: bool,
    launch: u32,
    report: Option<Report>,
    /// The beginning of the server's service from which this database was spared for long enough.
    spared_since: Option<Micros>,
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
    spared_since: None,
    text: [0; TEXT],
    text_length: 0,
};

const EMPTY: Table = Table { launcher_pid: 0, serving_since: None, launches: 0, slots: [FREE; SLOTS] };

// SAFETY: the table owns all its bytes, holds no pointers and is only reached through the lock.
unsafe impl PGRXSharedMemory for Table {}

// SAFETY: no other lock of the library has this name.
static TABLE: PgLwLock<Table> = unsafe { PgLwLock::new(c"multica") };
static RESERVED: AtomicBool = AtomicBool::new(false);

/// Asks for the memory; only while the server preloads its libraries.
#[expect(unexpected_cfgs, reason = "pgrx's macro asks for a Postgres that this crate has no feature for")]
pub fn reserve() {
    pg_shmem_init!(TABLE = EMPTY);
    RESERVED.store(true, Ordering::Relaxed);
}

impl Slot {
    /// The text of the last error.
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

/// Notes the launcher's process. The first one since the memory was made is the moment from which the server serves;
/// a launcher that only took another's place was no outage.
pub fn launcher_began(pid: i32, now: Micros) {
    let mut table = TABLE.exclusive();
    table.launcher_pid = pid;
    table.serving_since.get_or_insert(now);
}

/// Notes that there is no launcher.
pub fn launcher_ended() {
    TABLE.exclusive().launcher_pid = 0;
}

/// Notes that the machine stood still until now: daemons could not beat meanwhile.
pub fn resumed_at(now: Micros) {
    TABLE.exclusive().serving_since = Some(now);
}

/// Keeps the slots of these databases, frees the others, and assigns one to each database; returns those for which
/// there is none.
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

/// Readies a database's slot for a new worker; the number distinguishes its report from one that a former launcher's
/// worker still makes.
pub fn prepare(database: pg_sys::Oid) -> Option<u32> {
    let mut table = TABLE.exclusive();
    table.launches = table.launches.wrapping_add(1);
    let launch = table.launches;
    let slot = table.slot(database)?;
    slot.launch = launch;
    slot.report = None;
    Some(launch)
}

/// What a worker gets to know when it begins.
#[derive(Default)]
pub struct WorkerStart {
    /// The batch its predecessor came down to.
    pub batch: Option<i32>,
    /// Since when daemons could reach the server without a break, where this database has yet to be spared.
    pub spare_since: Option<Micros>,
}

/// Notes that a worker holds the database, and returns what the worker must know.
pub fn began(database: pg_sys::Oid, needs_update: bool, now: Micros) -> WorkerStart {
    let mut table = TABLE.exclusive();
    let serving_since = table.serving_since;
    let Some(slot) = table.slot(database) else {
        return WorkerStart::default();
    };
    slot.last_start = Some(now);
    slot.needs_update = needs_update;
    let spare_since = serving_since.filter(|since| slot.spared_since != Some(*since));
    let orders = WorkerStart { batch: slot.batch, spare_since: spare_since.map(|since| since.min(now)) };
    if spare_since.is_some_and(|since| since > now) {
        // The clock was set back since.
        table.serving_since = Some(now);
    }
    orders
}

/// Notes that the database was spared for long enough: settings that change later do not spare it again.
pub fn spared(database: pg_sys::Oid, since: Micros) {
    if let Some(slot) = TABLE.exclusive().slot(database) {
        slot.spared_since = Some(since);
    }
}

/// Notes an error's text.
pub fn failed(database: pg_sys::Oid, text: &str, now: Micros) {
    if let Some(slot) = TABLE.exclusive().slot(database) {
        slot.set_error(text, now);
    }
}

/// Notes how a worker ended and the batch its successor is to begin with.
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

/// The report of the worker that was last prepared, if it made one.
pub fn report(database: pg_sys::Oid) -> Option<Report> {
    of(database)?.report
}

/// Notes what the launcher decided about a database.
pub fn scheduled(database: pg_sys::Oid, next_due: Micros, failures: u32) {
    if let Some(slot) = TABLE.exclusive().slot(database) {
        slot.next_due = Some(next_due);
        slot.failures = failures;
    }
}

/// What is known of a database; None too where the library is not preloaded.
pub fn of(database: pg_sys::Oid) -> Option<Slot> {
    preloaded().then(|| {
        let table = TABLE.share();
        table.slots.iter().copied().find(|slot| slot.database == database)
    })?
}

/// The launcher's process, if it runs.
pub fn launcher_pid() -> Option<i32> {
    let pid = preloaded().then(|| TABLE.share().launcher_pid)?;
    (pid != 0).then_some(pid)
}

/// Whether the server preloaded the library, without which there is no launcher.
pub fn preloaded() -> bool {
    RESERVED.load(Ordering::Relaxed)
}
