//! Sets runtimes online and offline.

use std::collections::HashSet;

use pgrx::Uuid;

use super::event::Call;
use super::rows_in_work;
use super::runtime_return;
use super::writer::Writer;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Row, Statement, arg};

static LOCK_FOR_STATUS: Statement =
    Statement::volatile(sql!("lifecycle/liveness/lock_for_status.sql")).of_visible_rows();
static LOCK_FOR_SIGN_OF_LIFE: Statement =
    Statement::volatile(sql!("lifecycle/liveness/lock_for_sign_of_life.sql")).of_visible_rows();
static MARK_ONLINE: Statement = Statement::volatile(sql!("lifecycle/liveness/mark_online.sql")).of_visible_rows();
static STALE: Statement = Statement::volatile(sql!("lifecycle/liveness/stale_candidates.sql")).of_whole_tables();
static SEEN_NOW: Statement = Statement::volatile(sql!("lifecycle/liveness/seen_now.sql"));
static MARK_OFFLINE: Statement = Statement::volatile(sql!("lifecycle/liveness/mark_offline.sql"));

/// Sets runtimes online and records the heartbeat, and announces those that were not online; returns how many exist.
pub fn mark_online(runtimes: Vec<Uuid>, call: &mut Call) -> i64 {
    set_online(lock_for_status(runtimes), call)
}

/// As [`mark_online`], for runtimes that claim tasks. A runtime that is marked as unable to run any task stays as it is:
/// only a heartbeat or a registration says that it has been repaired.
pub fn revive(runtimes: Vec<Uuid>, call: &mut Call) -> i64 {
    set_online(LOCK_FOR_SIGN_OF_LIFE.rows(&[arg(runtimes)], |row| (row.must(1), row.must(2))), call)
}

fn set_online(locked: Vec<(Uuid, String)>, call: &mut Call) -> i64 {
    let ids: Vec<Uuid> = locked.iter().map(|(id, _)| *id).collect();
    let seen: Vec<(Uuid, Uuid)> = MARK_ONLINE.rows(&[arg(ids), arg(call.now())], |row| (row.must(2), row.must(1)));
    let many = seen.len() as i64;
    let was_away: HashSet<Uuid> =
        locked.into_iter().filter(|(_, status)| status != "online").map(|(id, _)| id).collect();
    let back: Vec<(Uuid, Uuid)> = seen.into_iter().filter(|(_, id)| was_away.contains(id)).collect();
    runtime_return::note(back.iter().map(|(_, id)| *id).collect(), call.now());
    call.runtimes("online", back);
    many
}

/// Locks the runtimes that exist; returns each with its status.
pub fn lock_for_status(runtimes: Vec<Uuid>) -> Vec<(Uuid, String)> {
    LOCK_FOR_STATUS.rows(&[arg(runtimes)], |row| (row.must(1), row.must(2)))
}

/// Sets the runtimes offline that are not offline yet, and announces it; returns how many. If there is a reason, it is
/// stored in the runtimes that were offline too, and these are announced as well.
pub fn set_offline(runtimes: &[Uuid], reason: Option<Jsonb>, call: &mut Call) -> i64 {
    let mut locked = lock_for_status(runtimes.to_vec());
    let was_offline: HashSet<Uuid> =
        locked.iter().filter(|(_, status)| status == "offline").map(|(id, _)| *id).collect();
    locked.retain(|(id, _)| reason.is_some() || !was_offline.contains(id));
    let going: Vec<Uuid> = locked.into_iter().map(|(id, _)| id).collect();
    let args = [arg(going), arg(call.now()), arg(reason)];
    let changed: Vec<(Uuid, Uuid)> = MARK_OFFLINE.rows(&args, |row| (row.must(2), row.must(1)));
    let many = changed.iter().filter(|(_, id)| !was_offline.contains(id)).count() as i64;
    call.runtimes("deregister", changed);
    many
}

/// Sets runtimes offline that were silent for longer than `stale_secs`. If the last heartbeat of a runtime is in the
/// future, it is set to now. At most `limit` runtimes are written. The caller records their events, but if rows are
/// written in pieces, they are recorded here.
pub fn mark_stale<R>(
    stale_secs: f64,
    limit: Option<i64>,
    writer: &mut Writer,
    call: &mut Call,
    mut decode: impl FnMut(&Row) -> R,
) -> Vec<R> {
    let now = call.now();
    let args = [arg(now), arg(stale_secs), arg(writer.exclude()), arg(limit)];
    let found: Vec<(Uuid, bool)> = STALE.rows(&args, |row| (row.must(1), row.must(2)));
    let (ahead, stale): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, ahead)| *ahead);
    let ids = |of: Vec<(Uuid, bool)>| of.into_iter().map(|(id, _)| id).collect::<Vec<Uuid>>();
    let (ahead, stale) = (ids(ahead), ids(stale));
    writer.rows(&ahead, |piece| {
        rows_in_work::set(piece);
        SEEN_NOW.run(&[arg(piece.to_vec()), arg(now)])
    });
    let (written, rows) = writer.runtimes(&stale, "stale_sweep", call, |piece| {
        MARK_OFFLINE.rows(&[arg(piece.to_vec()), arg(now), arg(None::<Jsonb>)], |row| {
            ((row.must::<Uuid>(2), row.must::<Uuid>(1)), decode(row))
        })
    });
    writer.keep_out(&stale, written);
    rows
}
