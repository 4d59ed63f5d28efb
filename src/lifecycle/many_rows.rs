//! Calls on many rows for a caller who waits for the result: every row that can be written is, whatever refuses others.

use std::collections::HashSet;

use pgrx::Uuid;

use super::writer::{attempt, warn};
use crate::postgres::refusal::Refusal;
use crate::postgres::{deferred, subtransaction};

/// Rows that get a WARNING of their own; how many more were refused is said in one.
const MOST_NAMED: usize = 10;

/// Lets `work` write the rows at once, in one subtransaction. Only where it is refused, the rows that are to blame are
/// found by halves, each tried and rolled back; `work` then writes the others at once, so that nothing has to be
/// repeated by the caller. The refused ones are left as they are, each with a WARNING. `checks_deferred`: as
/// [`attempt`].
pub fn write<R>(rows: &[Uuid], checks_deferred: bool, mut work: impl FnMut(&[Uuid]) -> R) -> R {
    let refusal = match attempt(|| work(rows), checks_deferred) {
        Ok(result) => return result,
        Err(refusal) => refusal,
    };
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
    // An error now is none of a single row: it concerns several of them together.
    work(&others)
}

/// The rows because of which `rows` were refused.
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
