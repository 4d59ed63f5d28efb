//! The order of a chat's transcript. A user may write several messages while a turn runs. Each of them is answered by a
//! turn of its own, so a claim moves the messages of its turn behind the answers that were written since.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::search::Candidate;
use crate::postgres::statement::{Statement, arg};

static LOCK: Statement = Statement::volatile(sql!("task/claim/lock_messages.sql")).in_index_order().by_id();
static MOVE: Statement = Statement::volatile(sql!("task/claim/move_messages.sql")).by_id();

/// Moves the messages of turns that were just claimed to their place in the transcript. A message that another session
/// holds stays where it is.
pub fn follow(claimed: &[&Candidate], now: TimestampWithTimeZone) {
    let of_turns = claimed.iter().filter(|candidate| candidate.is_queued && candidate.has_input);
    let turns: Vec<Uuid> = of_turns.map(|candidate| candidate.task).collect();
    if turns.is_empty() {
        return;
    }
    let messages: Vec<Uuid> = LOCK.rows(&[arg(turns)], |row| row.must(1));
    if !messages.is_empty() {
        MOVE.run(&[arg(messages), arg(now)]);
    }
}
