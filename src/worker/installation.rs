//! Reads from the catalogues of a database whether it can be swept, in which schema, and as which role.

use std::ffi::CString;

use pgrx::prelude::*;

use super::shared::Obstacle;
use crate::install::table_names;
use crate::postgres::statement::{Statement, arg};
use crate::version;

static INSTALLATION: Statement = Statement::stable(sql!("worker/installation.sql"));

/// The schema and the owner of the tables.
pub struct Installation {
    /// The search path: the schema, quoted, and pg_temp.
    pub path: CString,
    /// The role that owns all tables.
    pub owner: pg_sys::Oid,
    /// Whether the SQL objects are older than the library. The library works with them nevertheless.
    pub needs_update: bool,
}

/// Reads the catalogues and nothing else, because the process is still a superuser.
pub fn find() -> Result<Installation, Obstacle> {
    let found = INSTALLATION.row(&[arg(table_names())], |row| {
        let objects: String = row.required("version");
        let schema: String = row.required("schema");
        let owner: Option<pg_sys::Oid> = row.column("owner");
        let installed: bool = row.required("is_installed");
        let owners: i64 = row.required("owners");
        let sees_schema: bool = row.column("owner_sees_schema").unwrap_or_default();
        match owner {
            _ if version::is_ahead(&objects) => Err(Obstacle::OlderLibrary),
            Some(_) if installed && owners > 1 => Err(Obstacle::SeveralOwners),
            Some(_) if installed && !sees_schema => Err(Obstacle::HiddenSchema),
            Some(owner) if installed => {
                Ok(Installation { path: search_path(&schema), owner, needs_update: version::needs_update(&objects) })
            }
            _ => Err(Obstacle::NoTables),
        }
    });
    found.unwrap_or(Err(Obstacle::NoExtension))
}

fn search_path(schema: &str) -> CString {
    let quoted = pgrx::spi::quote_identifier(schema);
    CString::new(format!("{quoted}, pg_temp")).expect("a schema's name holds no NUL byte")
}
