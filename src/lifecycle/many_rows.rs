//! Writes to many rows for a caller who waits for the result. Every row that can be written is written, even if others
//! are refused.

use std::collections::HashSet;

use pgrx::Uuid;

use super::event;
use super::writer::{attempt, warn};
use crate::postgres::refusal::Refusal;
use crate::postgres::{deferred, subtransaction};

/// At most this many refused rows get their own WARNING. One more WARNING reports the number of all others.
const MOST_NAMED: usize = 10;

/// Lets `work` write the rows at once, in one subtransaction. Only if this is refused, the refused rows are searched
/// for by halves, each of which is tried and rolled back. Then `work` writes the other rows at once, so that the caller
/// does not have to repeat the call. The refused rows stay as they are and are reported in WARNINGs. `checks_deferred`:
/// as for [`attempt`].
pub fn write<R>(rows: &[Uuid], checks_deferred: bool, mut work: impl FnMut(&[Uuid]) -> R) -> R {
    let refusal = match attempt(|| work(rows), checks_deferred) {
        Ok(result) => return result,
        Err(refusal) => refusal,
    };
    // A lock timeout of the log would be taken for the refusal of a row. Here it fails the call.
    event::hold_back_readers();
    let mut refused = Vec::new();
    find(rows, refusal, &mut refused, &mut |half| {
        subtransaction::refused(|| {
            work(half);
            if checks_deferred {
                deferred::check();
            }
        })
    });
    tell(&refused);
    let refused: HashSet<Uuid> = refused.into_iter().map(|(row, _)| row).collect();
    let others: Vec<Uuid> = rows.iter().copied().filter(|row| !refused.contains(row)).collect();
    // No single row causes an error here: it concerns several rows together.
    work(&others)
}

/// Finds the rows because of which `rows` were refused.
fn find(
    rows: &[Uuid],
    refusal: Refusal,
    refused: &mut Vec<(Uuid, Refusal)>,
    refusal_of: &mut impl FnMut(&[Uuid]) -> Option<Refusal>,
) {
    match rows {
        [] => {}
        [row] => refused.push((*row, refusal)),
        _ => {
            let (first, second) = rows.split_at(rows.len() / 2);
            for half in [first, second] {
                if let Some(refusal) = refusal_of(half) {
                    find(half, refusal, refused, refusal_of);
                }
            }
        }
    }
}

fn tell(refused: &[(Uuid, Refusal)]) {
    for (row, refusal) in refused.iter().take(MOST_NAMED) {
        warn(format!("multica skips {row}: {}", refusal.text));
    }
    let more = refused.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        warn(format!("multica skips {more} more rows"));
    }
}
