//! The database's clock.

use pgrx::datum::TimestampWithTimeZone;

/// Returns the moment at which a call begins. A call reads it once and binds it into its statements. now() does not
/// change during a transaction, and statement_timestamp() does not change during a procedure that commits: with them, a
/// heartbeat at the end of a long transaction would be recorded with an old time.
pub fn now() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::clock_timestamp()
}
