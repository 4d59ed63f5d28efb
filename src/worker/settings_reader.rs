//! The settings reader: a short-lived process that reads for the launcher what `ALTER DATABASE` has set for all
//! databases, and exits. `pg_db_role_setting` cannot be read without a database, and the launcher is connected to none.

use pgrx::prelude::*;

use super::settings_list::{self, Setting};
use super::{ffi, transaction, word};
use crate::postgres::statement::Statement;

static SETTINGS: Statement = Statement::stable(sql!("worker/settings.sql"));

/// Entry of the settings reader's process; the argument is the database to connect to and the number of the reading.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn multica_settings_reader_main(argument: pg_sys::Datum) {
    let (database, reading) = word::unpack(argument);
    ffi::take_signals();
    // SAFETY: called once, before anything else uses the database.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0);
    }
    ffi::set_as_autovacuum_does(c"multica settings reader");
    let rows = transaction::run("reading the settings of databases", || {
        SETTINGS.rows(&[], |row| Setting::new(row.must(1), row.must(2)))
    });
    match rows {
        Ok(settings) => settings_list::publish(reading, &settings),
        Err(failure) => log!("multica settings reader: {}", failure.text),
    }
}
