//! The end of a run that arrives after silence has failed its task: the run takes over the retry, which then ends, so
//! that the result is kept.

use pgrx::Uuid;

use super::claim_token;
use super::transition::State;
use crate::error::Result;
use crate::lifecycle::event::Call;
use crate::lifecycle::lock_set::LockSet;
use crate::lifecycle::resumption::{self, Link};

/// As [`State::open`], for the end of a run. Returns the task that the run belongs to: the given one, or its retry if the
/// run takes it over or has done so before.
pub fn open(task: Uuid, token: Option<i64>, call: &mut Call) -> Result<(Uuid, Option<State>)> {
    let state = State::open(task, token)?;
    if state.is_none()
        && let Some((retry, token)) = retry_of(task, token, |retry| LockSet::of_tasks(vec![retry]), call)?
    {
        return open(retry, Some(token), call);
    }
    Ok((task, state))
}

/// Returns the retry of an ended task, and the token of its claim, if the run with the token of the task has the retry
/// or can take it over now. The caller holds the agent of the task. Before the retry is written, the rows that `wanted`
/// returns are locked, which the end of the retry writes. A run that ends takes no place of its agent, so the agent's
/// limit does not matter.
pub fn retry_of(
    task: Uuid,
    token: Option<i64>,
    wanted: impl Fn(Uuid) -> LockSet,
    call: &mut Call,
) -> Result<Option<(Uuid, i64)>> {
    let Some(token) = token.filter(|_| resumption::is_recorded()) else { return Ok(None) };
    let find = || Link::of(task).filter(|link| claim_token::of(link.claimed_at) == token);
    let claim_of = |link: &Link| Some((link.retry, claim_token::of(link.retry_claimed_at?)));
    let can_take = |link: &Link| link.is_waiting && link.hindrance.is_none();
    let Some(link) = find() else { return Ok(None) };
    if link.is_taken {
        return Ok(claim_of(&link));
    }
    if !can_take(&link) || link.check_process().is_err() {
        return Ok(None);
    }
    wanted(link.retry).acquire()?;
    let Some(link) = find().filter(|now| now.retry == link.retry && can_take(now)) else { return Ok(None) };
    if link.hold_process().is_err() {
        return Ok(None);
    }
    link.take_over(call)?;
    Ok(Some((link.retry, claim_token::of(call.now()))))
}
