//! The background worker, built like autovacuum: a launcher that is connected to no database and knows which databases
//! are due, and a short-lived worker for each of these databases. A worker decides nothing about tasks. It reads the
//! schema and the owner from the catalogues, runs the parts of a sweep, and records the result. Another short-lived
//! process reads what `ALTER DATABASE` has set.

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

/// A launcher that was terminated is started again after this time.
const RESTART: Duration = Duration::from_secs(2);

/// Reserves the shared memory and registers the launcher, while the server preloads its libraries. The servers that
/// pg_upgrade starts do not sweep.
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
