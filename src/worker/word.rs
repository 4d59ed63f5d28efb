//! The argument of a background worker's entry: a database and a number, in one word.

use pgrx::prelude::*;

/// Puts both into the word that a background worker is started with.
pub fn pack(database: pg_sys::Oid, number: u32) -> pg_sys::Datum {
    pg_sys::Datum::from(u64::from(database.to_u32()) << 32 | u64::from(number))
}

/// Returns the database and the number of such a word.
pub fn unpack(word: pg_sys::Datum) -> (pg_sys::Oid, u32) {
    let word = word.value() as u64;
    (pg_sys::Oid::from((word >> 32) as u32), word as u32)
}
