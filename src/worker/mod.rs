//! The background worker, shaped like autovacuum: a launcher that is connected to no database and knows which are due,
//! and a short-lived worker for each. It decides nothing about tasks: it asks the catalogues who and where, calls
//! `multica_sweep`, and records how it went. What `ALTER DATABASE` has set is read by a short-lived process, too.

mod batch;
mod catalogue;
mod database;
mod ffi;
mod installation;
mod launcher;
mod reading;
mod schedule;
mod settings_list;
mod settings_reader;
pub mod shared;
mod sweeper;
mod transaction;
mod word;

use std::time::Duration;

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::prelude::*;

/// A launcher that was terminated starts again after this long.
const RESTART: Duration = Duration::from_secs(2);

/// Reserves the shared memory and registers the launcher, while the server preloads its libraries. pg_upgrade's
/// servers sweep nothing.
pub fn register() {
    // SAFETY: a variable of this process, which only this thread writes.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    // SAFETY: as above.
    let is_pg_upgrade = unsafe { pg_sys::IsBinaryUpgrade };
    if !preloading || is_pg_upgrade {
        return;
    }
    shared::reserve();
    settings_list::reserve();
    BackgroundWorkerBuilder::new("multica launcher")
        .set_library("multica")
        .set_function("multica_launcher_main")
        .enable_spi_access()
        .set_restart_time(Some(RESTART))
        .load();
}

/// Microseconds of a number of seconds.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}
