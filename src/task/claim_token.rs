//! The claim token. It identifies one claim of a task, so that a daemon cannot end a task that was claimed again since.

use pgrx::datum::TimestampWithTimeZone;

/// Microseconds between the Unix epoch, from which a token counts, and 2000-01-01, from which Postgres does.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Returns the token of the claim that dispatched a task at this time: microseconds since the Unix epoch. An infinite
/// time has the token at the end of bigint's range.
pub fn of(dispatched_at: TimestampWithTimeZone) -> i64 {
    i64::from(dispatched_at).saturating_add(POSTGRES_EPOCH)
}

/// Returns the time at which the claim with this token dispatched its task, for statements to compare with
/// `dispatched_at`. A token that no claim can have means infinity, which no dispatched task has.
pub fn dispatched_at(token: i64) -> TimestampWithTimeZone {
    match token.checked_sub(POSTGRES_EPOCH).map(TimestampWithTimeZone::try_from) {
        Some(Ok(time)) if token != i64::MAX => time,
        _ if token < 0 => TimestampWithTimeZone::negative_infinity(),
        _ => TimestampWithTimeZone::positive_infinity(),
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{dispatched_at, of};

    #[pg_test]
    fn claim_token_is_the_time_of_its_dispatch() {
        let times =
            "SELECT array_agg(t::timestamptz) FROM unnest(ARRAY['2026-01-02 03:04:05.678901+00', '1960-01-01+00',
                     '2000-01-01+00', '250000-01-01+00', '4000-01-01+00 BC', 'infinity', '-infinity']) AS t";
        let times: Vec<TimestampWithTimeZone> = Spi::get_one(times).unwrap().unwrap();
        for time in times {
            assert_eq!(i64::from(dispatched_at(of(time))), i64::from(time));
        }
        let epoch: TimestampWithTimeZone = Spi::get_one("SELECT to_timestamp(1.000001)").unwrap().unwrap();
        assert_eq!(of(epoch), 1_000_001);
    }

    #[pg_test]
    fn any_number_is_accepted_as_a_claim_token() {
        for token in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            dispatched_at(token);
        }
    }
}
