//! The database's clock.

use pgrx::datum::TimestampWithTimeZone;

/// The moment at which a call begins. Read once a call and bound into its statements: now() and statement_timestamp()
/// stand still through a transaction and through a procedure that commits, and a beat late in a long transaction
/// would read as old.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::clock_timestamp()
}
