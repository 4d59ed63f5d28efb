//! The version of the library, and whether the SQL objects have the same version.

use pgrx::prelude::*;

use crate::error::{Error, Result, Word};
use crate::postgres::entry::entry_as_caller;
use crate::postgres::statement::Statement;

/// Version of the library.
const LIBRARY: &str = env!("CARGO_PKG_VERSION");

static OF_OBJECTS: Statement = Statement::stable(sql!("install/version_of_objects.sql"));

extension_sql_file!("../sql/extension/comments/version.sql", name = "version_comments", requires = [multica_version]);

/// Returns 55000 if the SQL objects have a version other than the library's.
pub fn check() -> Result<()> {
    let objects: String = OF_OBJECTS.row(&[], |row| row.must(1)).unwrap_or_default();
    if objects == LIBRARY {
        return Ok(());
    }
    let hint = if needs_update(&objects) {
        "Run ALTER EXTENSION multica UPDATE; then SELECT * FROM multica_install();".into()
    } else {
        format!("Install the package of version {objects}, restart the server if it preloads multica, and reconnect.")
    };
    Err(Error::state(
        Word::UpdateNeeded,
        "library and SQL objects have different versions",
        format!("The library has version {LIBRARY}, the SQL objects have version {objects}."),
        hint,
    ))
}

/// Whether SQL objects of this version are older than the library.
pub fn needs_update(objects: &str) -> bool {
    numbers(objects) < numbers(LIBRARY)
}

/// Whether SQL objects of this version are newer than the library.
pub fn is_ahead(objects: &str) -> bool {
    numbers(objects) > numbers(LIBRARY)
}

fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split('.');
    parts.map(|part| part.parse().unwrap_or(0)).collect()
}

/// Returns the version of the loaded library, or 55000 if the SQL objects have another version.
#[pg_extern(stable, parallel_safe)]
#[search_path(@extschema@, pg_temp)]
fn multica_version() -> &'static str {
    entry_as_caller(|| {
        check()?;
        Ok(LIBRARY)
    })
}

/// Not a SQL function: the update script to 0.3.0 checks that its symbol exists, which libraries before 0.3.0 do not
/// have.
#[pg_extern(sql = false)]
fn multica_is_0_3_0_or_later() {}

/// Not a SQL function: the update script to 0.4.0 checks that its symbol exists, which libraries before 0.4.0 do not
/// have.
#[pg_extern(sql = false)]
fn multica_is_0_4_0_or_later() {}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;

    #[pg_test]
    fn objects_of_another_version_are_noticed() {
        check().unwrap();
        Spi::run(
            "DO $$ BEGIN
                 UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'multica';
                 PERFORM multica_version();
                 RAISE 'not noticed';
             EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
             END $$",
        )
        .unwrap();
    }
}
