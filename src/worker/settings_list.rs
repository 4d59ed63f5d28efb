//! The list in shared memory in which a settings reader publishes its result for the launcher.

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};

/// How many databases with a value of `multica.sweep` the list can contain; the number of all others is counted.
const MOST: usize = 1000;

/// How many bytes of a value are kept: enough for `on` and `off`, and to recognise an invalid value in the log.
const VALUE: usize = 27;

/// The value that `multica.sweep` has for a database.
#[derive(Clone, Copy)]
pub struct Setting {
    /// The database.
    pub database: pg_sys::Oid,
    length: u8,
    value: [u8; VALUE],
}

impl Setting {
    /// Makes a setting; only the beginning of a long value is kept.
    pub fn new(database: pg_sys::Oid, value: &str) -> Self {
        let end = value.floor_char_boundary(VALUE);
        let mut kept = [0; VALUE];
        kept[..end].copy_from_slice(&value.as_bytes()[..end]);
        Self { database, length: end as u8, value: kept }
    }

    /// Returns the value as it was written.
    pub fn value(&self) -> String {
        String::from_utf8_lossy(&self.value[..usize::from(self.length)]).into_owned()
    }
}

struct List {
    /// The number of the last reading that was begun.
    reading: u32,
    is_complete: bool,
    length: usize,
    omitted: usize,
    settings: [Setting; MOST],
}

// SAFETY: the list owns all its bytes, holds no pointers and is only reached through the lock.
unsafe impl PGRXSharedMemory for List {}

// SAFETY: no other lock of the library has this name.
static LIST: PgLwLock<List> = unsafe { PgLwLock::new(c"multica settings") };

/// Requests the shared memory. Must be called while the server preloads its libraries.
#[expect(unexpected_cfgs, reason = "pgrx's macro asks for a Postgres that this crate has no feature for")]
pub fn reserve() {
    pg_shmem_init!(
        LIST = List {
            reading: 0,
            is_complete: false,
            length: 0,
            omitted: 0,
            settings: [Setting { database: pg_sys::InvalidOid, length: 0, value: [0; VALUE] }; MOST],
        }
    );
}

/// Begins a reading and returns its number, which distinguishes its list from a list that an earlier reader publishes
/// late.
pub fn begin() -> u32 {
    let mut list = LIST.exclusive();
    list.reading = list.reading.wrapping_add(1);
    list.is_complete = false;
    list.reading
}

/// Publishes the result of a reading.
pub fn publish(reading: u32, settings: &[Setting]) {
    let mut list = LIST.exclusive();
    if list.reading != reading {
        return;
    }
    let kept = settings.len().min(MOST);
    list.settings[..kept].copy_from_slice(&settings[..kept]);
    list.length = kept;
    list.omitted = settings.len() - kept;
    list.is_complete = true;
}

/// Returns what a reading has published, and how many databases the list had no place for; None while the reading has
/// published nothing.
pub fn take(reading: u32) -> Option<(Vec<Setting>, usize)> {
    let list = LIST.share();
    (list.reading == reading && list.is_complete).then(|| (list.settings[..list.length].to_vec(), list.omitted))
}
