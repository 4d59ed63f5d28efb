//! Deletes what the extension stores about rows that are gone.

use pgrx::Uuid;

use super::rows_in_work;
use super::writer::Writer;
use crate::postgres::statement::{Statement, arg};

/// Deletes at most `limit` rows; returns whether there may be more. `find` locks and returns their ids, for a limit and
/// the ids to exclude, and `delete` deletes the rows of these ids. Rows that cannot be deleted are skipped.
pub fn forget(find: &Statement, delete: &Statement, limit: i64, writer: &mut Writer) -> bool {
    let found: Vec<Uuid> = find.rows(&[arg(limit), arg(writer.exclude())], |row| row.must(1));
    let gone = writer.rows(&found, |piece| {
        // From here on no runtime or task can be the cause of an error.
        rows_in_work::clear();
        delete.run(&[arg(piece.to_vec())])
    });
    gone.into_iter().sum::<u64>() as i64 >= limit
}
