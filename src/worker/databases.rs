//! Which databases are to be swept, as ALTER DATABASE says.

use pgrx::prelude::*;

use crate::spi::Statement;

static DATABASES: Statement = Statement::read(include_str!("../../sql/worker/databases.sql"));

/// One setting of one database.
pub struct Said {
    /// The database.
    pub database: pg_sys::Oid,
    /// Its name.
    pub name: String,
    setting: String,
}

impl Said {
    /// Whether it switches sweeping on; Err is a value that `multica.sweep` does not have.
    pub fn sweep(&self) -> Option<Result<bool, String>> {
        let (setting, value) = self.setting.split_once('=')?;
        if !setting.eq_ignore_ascii_case("multica.sweep") {
            return None;
        }
        Some(match value.to_ascii_lowercase().as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(value.to_owned()),
        })
    }
}

/// What is set for every database that could be swept, in the order in which Postgres applies it.
pub fn read() -> Vec<Said> {
    DATABASES.rows(&[], |row| Said {
        database: row.must(1),
        name: row.must(2),
        setting: row.must(3),
    })
}
