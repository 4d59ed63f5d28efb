//! Signs of life and their absence.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::registry::{distinct_ids, workspace_of};
use crate::argument::{bound, optional_elements, required, seconds};
use crate::clock;
use crate::deferred;
use crate::entry::entry;
use crate::error::Error;
use crate::event::Events;
use crate::failure;
use crate::kind::{Beat, RuntimeRef};
use crate::many;
use crate::other_kind::no_runtime;
use crate::row::{Composite, set};
use crate::spi::{Row, Statement, arg};
use crate::subtransaction::kept_if_not_refused;
use crate::writer::{self, Writer};

static HEARTBEAT: Statement =
    Statement::write(include_str!("../../sql/runtime/heartbeat.sql")).of_visible_rows();
static HEARTBEAT_MANY: Statement =
    Statement::write(include_str!("../../sql/runtime/heartbeat_many.sql"))
        .of_visible_rows()
        .in_id_order();
static COUNT: Statement =
    Statement::write(include_str!("../../sql/runtime/count.sql")).of_visible_rows();
static STOP_TASKS: Statement = Statement::write(include_str!("../../sql/runtime/stop_tasks.sql"));
static LOCK_FOR_STATUS: Statement =
    Statement::write(include_str!("../../sql/runtime/lock_for_status.sql")).of_visible_rows();
static REVIVE: Statement =
    Statement::write(include_str!("../../sql/runtime/revive.sql")).of_visible_rows();
static STALE: Statement =
    Statement::write(include_str!("../../sql/runtime/stale_candidates.sql")).of_whole_tables();
static SEEN_NOW: Statement = Statement::write(include_str!("../../sql/runtime/seen_now.sql"));
static MARK_OFFLINE: Statement =
    Statement::write(include_str!("../../sql/runtime/mark_offline.sql"));

extension_sql_file!(
    "../../sql/install/comments/liveness.sql",
    name = "liveness_comments",
    requires = [
        multica_heartbeat,
        multica_heartbeat_many,
        multica_set_runtime_offline,
        multica_deregister,
        multica_mark_stale_runtimes_offline
    ]
);

/// A sign of life of one runtime, the hot path (UpdateAgentRuntimeHeartbeat). Of the ids a daemon says it runs, it is
/// told those that are no longer in flight here.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_heartbeat(
    runtime_id: Option<Uuid>,
    running_task_ids: default!(Option<Vec<Option<Uuid>>>, "NULL"),
) -> Composite<Beat> {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        let running = optional_elements("running_task_ids", running_task_ids)?;
        let now = clock::now();
        let stop: Option<Vec<Uuid>> = running
            .and_then(|given| STOP_TASKS.row(&[arg(runtime), arg(given)], |row| row.must(1)));
        let beat = || {
            HEARTBEAT.row(&[arg(runtime), arg(now)], |row| {
                Composite::<Beat>::from_row_and(row, &[("stop_task_ids", arg(stop.clone()))])
            })
        };
        if let Some(beat) = beat() {
            return Ok(beat);
        }
        let mut events = Events::default();
        let revived = revive(vec![runtime], now, &mut events);
        events.record(now);
        if let Some(beat) = beat() {
            return Ok(beat);
        }
        let is_there = revived > 0 || !lock_for_status(vec![runtime]).is_empty();
        Err(if is_there {
            Error::kept_out(
                format!("runtime {runtime} could not be set online"),
                "A trigger on agent_runtime keeps it as it is.",
            )
        } else {
            no_runtime(Error::not_found("runtime", runtime), runtime)
        })
    })
}

/// Signs of life of many runtimes in one statement; says how many of them exist. One that cannot be written is told in a WARNING
/// and not counted.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_heartbeat_many(runtime_ids: Option<Vec<Option<Uuid>>>) -> i64 {
    entry(|| {
        let runtimes = distinct_ids("runtime_ids", runtime_ids)?;
        let now = clock::now();
        let checks_deferred = !deferred::is_pending_before();
        if let Some(seen) = beat_of_online(&runtimes, now, checks_deferred) {
            return Ok(seen);
        }
        Ok(many::write(&runtimes, checks_deferred, |runtimes| {
            let mut events = Events::default();
            let seen = revive(runtimes.to_vec(), now, &mut events);
            events.record(now);
            seen
        }))
    })
}

/// The ordinary beats of runtimes that are all online, as far as they exist; says how many do. None: one of them was not
/// online, or was refused. All is taken back then, the locks too: that one was passed over, and to lock it now, after others, would not
/// be the order of the ids.
fn beat_of_online(
    runtimes: &[Uuid],
    now: TimestampWithTimeZone,
    checks_deferred: bool,
) -> Option<i64> {
    let args = [arg(runtimes.to_vec()), arg(now)];
    let mut seen = 0;
    let all = kept_if_not_refused(|| {
        seen = HEARTBEAT_MANY.run(&args) as i64;
        if checks_deferred {
            deferred::check_of(c"agent_runtime");
        }
        seen == runtimes.len() as i64 || COUNT.row(&args[..1], |row| row.must(1)) == Some(seen)
    });
    matches!(all, Ok(true)).then_some(seen)
}

/// Sets runtimes online and seen, and announces those that were not online; says how many exist.
pub fn revive(runtimes: Vec<Uuid>, now: TimestampWithTimeZone, events: &mut Events) -> i64 {
    let locked = lock_for_status(runtimes);
    let ids: Vec<Uuid> = locked.iter().map(|(id, _)| *id).collect();
    let seen: Vec<(Uuid, Uuid)> =
        REVIVE.rows(&[arg(ids), arg(now)], |row| (row.must(2), row.must(1)));
    let many = seen.len() as i64;
    let was_away: HashSet<Uuid> = locked
        .into_iter()
        .filter(|(_, status)| status != "online")
        .map(|(id, _)| id)
        .collect();
    let back = seen.into_iter().filter(|(_, id)| was_away.contains(id));
    events.runtimes("online", back);
    many
}

/// Locks those of the runtimes that exist; returns each with its status.
fn lock_for_status(runtimes: Vec<Uuid>) -> Vec<(Uuid, String)> {
    LOCK_FOR_STATUS.rows(&[arg(runtimes)], |row| (row.must(1), row.must(2)))
}

/// Sets a runtime offline without touching when it was last seen (SetAgentRuntimeOffline). True: it was online.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_set_runtime_offline(runtime_id: Option<Uuid>) -> bool {
    entry(|| {
        let runtime = required("runtime_id", runtime_id)?;
        workspace_of(runtime)?;
        Ok(set_offline(&[runtime], clock::now()) > 0)
    })
}

/// A daemon's graceful good-bye: its runtimes go offline, with one event a workspace. Says how many were online and no longer
/// are; one that cannot be written is told in a WARNING.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_deregister(runtime_ids: Option<Vec<Option<Uuid>>>) -> i64 {
    entry(|| {
        let runtimes = distinct_ids("runtime_ids", runtime_ids)?;
        let now = clock::now();
        let checks_deferred = !deferred::is_pending_before();
        Ok(many::write(&runtimes, checks_deferred, |runtimes| {
            set_offline(runtimes, now)
        }))
    })
}

fn set_offline(runtimes: &[Uuid], now: TimestampWithTimeZone) -> i64 {
    let mut locked = lock_for_status(runtimes.to_vec());
    locked.retain(|(_, status)| status != "offline");
    let going: Vec<Uuid> = locked.into_iter().map(|(id, _)| id).collect();
    let changed: Vec<(Uuid, Uuid)> =
        MARK_OFFLINE.rows(&[arg(going), arg(now)], |row| (row.must(2), row.must(1)));
    let many = changed.len() as i64;
    let mut events = Events::default();
    events.runtimes("deregister", changed);
    events.record(now);
    many
}

/// Sets runtimes offline that were unseen for longer than `stale_secs`, and has the silence of those begin now that were seen
/// later than now; at most `most`. Their events are recorded by the caller, or here where rows are written in pieces.
pub fn mark_stale<R>(
    stale_secs: f64,
    most: Option<i64>,
    now: TimestampWithTimeZone,
    writer: &mut Writer,
    events: &mut Events,
    mut decode: impl FnMut(&Row) -> R,
) -> Vec<R> {
    let args = [
        arg(now),
        arg(stale_secs),
        arg(writer.leave_out()),
        arg(most),
    ];
    let found: Vec<(Uuid, bool)> = STALE.rows(&args, |row| (row.must(1), row.must(2)));
    let (ahead, stale): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, ahead)| *ahead);
    let ids = |of: Vec<(Uuid, bool)>| of.into_iter().map(|(id, _)| id).collect::<Vec<Uuid>>();
    let (ahead, stale) = (ids(ahead), ids(stale));
    writer.rows(&ahead, |piece| {
        failure::hold(piece);
        SEEN_NOW.run(&[arg(piece.to_vec()), arg(now)])
    });
    let (written, rows) = writer.runtimes(&stale, "stale_sweep", now, events, |piece| {
        MARK_OFFLINE.rows(&[arg(piece.to_vec()), arg(now)], |row| {
            ((row.must::<Uuid>(2), row.must::<Uuid>(1)), decode(row))
        })
    });
    writer.keep_out(&stale, written);
    rows
}

/// Sets runtimes offline that have been online without a sign of life for longer than `stale_secs`
/// (MarkStaleRuntimesOffline); one that was never seen is never stale.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_mark_stale_runtimes_offline(
    stale_secs: Option<f64>,
    max_runtimes: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<RuntimeRef>> {
    entry(|| {
        let stale = seconds("stale_secs", stale_secs)?;
        let most = bound("max_runtimes", max_runtimes)?;
        let now = clock::now();
        Ok(set(writer::write(now, |writer| {
            let mut events = Events::default();
            let rows = mark_stale(stale, most, now, writer, &mut events, Composite::from_row);
            events.record(now);
            rows
        })))
    })
}
