//! Heartbeats, and the calls that set runtimes offline.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::prelude::*;

use super::lookup::distinct_ids;
use crate::argument::{bound, optional_elements, required, seconds};
use crate::error::{Error, Result};
use crate::lifecycle::event::{Call, call};
use crate::lifecycle::existence::{no_runtime, workspace_of};
use crate::lifecycle::features::Feature;
use crate::lifecycle::incarnation;
use crate::lifecycle::liveness::{lock_for_status, mark_online, mark_stale, set_offline};
use crate::lifecycle::unnamed::Compared;
use crate::lifecycle::{many_rows, resumption, thresholds, writer};
use crate::postgres::composite::{Composite, set};
use crate::postgres::deferred;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Row, Statement, arg};
use crate::postgres::subtransaction::commit_if_not_refused;
use crate::types::{Beat, RuntimeRef};

static HEARTBEAT: Statement = Statement::volatile(sql!("runtime/heartbeat.sql")).of_visible_rows();
static HEARTBEAT_MANY: Statement =
    Statement::volatile(sql!("runtime/heartbeat_many.sql")).of_visible_rows().in_id_order();
static COUNT: Statement = Statement::volatile(sql!("runtime/count.sql")).of_visible_rows();
static SEEN_LATELY: Statement = Statement::volatile(sql!("runtime/seen_lately.sql")).of_visible_rows().in_id_order();
static STOP_TASKS: Statement = Statement::volatile(sql!("runtime/stop_tasks.sql"));

extension_sql_file!(
    "../../sql/extension/comments/liveness.sql",
    name = "liveness_comments",
    requires = [
        multica_heartbeat_since_0_4,
        multica_heartbeat_many,
        multica_set_runtime_offline_since_0_4,
        multica_deregister_since_0_4,
        multica_mark_stale_runtimes_offline
    ]
);

/// Records a heartbeat of one runtime, for a process with this incarnation if one is given.
pub fn heartbeat(
    runtime_id: Option<Uuid>,
    running_task_ids: Option<Vec<Option<Uuid>>>,
    incarnation: Option<Uuid>,
    call: &mut Call,
) -> Result<Composite<Beat>> {
    let runtime = required("runtime_id", runtime_id)?;
    let running = optional_elements("running_task_ids", running_task_ids)?;
    if let Some(process) = incarnation {
        incarnation::check(runtime, process)?;
    }
    let now = call.now();
    let compared = running.as_ref().and_then(|named| Compared::read(runtime, named));
    let to_stop = match (&compared, running) {
        (Some(compared), _) => Some(compared.to_stop.clone()),
        (None, Some(named)) => STOP_TASKS.row(&[arg(runtime), arg(named)], |row| row.must(1)),
        (None, None) => None,
    };
    let beat = beat(runtime, to_stop, incarnation, now, call)?;
    // A process that another one has replaced was refused before this.
    if let Some(compared) = compared {
        compared.store(runtime, now);
    }
    Ok(beat)
}

/// Writes the heartbeat of a runtime, if it must be written. `stop`: the tasks that the daemon must stop.
fn beat(
    runtime: Uuid,
    stop: Option<Vec<Uuid>>,
    incarnation: Option<Uuid>,
    now: TimestampWithTimeZone,
    call: &mut Call,
) -> Result<Composite<Beat>> {
    let resume = stop.as_ref().map(|stop| resumption::resumable(runtime, stop));
    let formed = |row: &Row| {
        let of_tasks = [("stop_task_ids", arg(stop.clone())), ("resume_task_ids", arg(resume.clone()))];
        Composite::<Beat>::from_row_and(row, &of_tasks)
    };
    if let Some((_, beat)) = seen_lately(&[runtime], now, formed).pop() {
        return Ok(beat);
    }
    let beat = || HEARTBEAT.row(&[arg(runtime), arg(now)], formed);
    if let Some(beat) = beat() {
        return Ok(beat);
    }
    if let Some(process) = incarnation {
        // A registration holds the runtime, so none can be committed between this check and the write.
        lock_for_status(vec![runtime]);
        incarnation::check(runtime, process)?;
    }
    let revived = mark_online(vec![runtime], call);
    if let Some(beat) = beat() {
        return Ok(beat);
    }
    let is_there = revived > 0 || !lock_for_status(vec![runtime]).is_empty();
    Err(if is_there {
        Error::kept_out(
            format!("runtime {runtime} could not be set online"),
            "A trigger on agent_runtime keeps the row unchanged.",
        )
    } else {
        no_runtime(Error::not_found("runtime", runtime), runtime)
    })
}

/// Records a heartbeat of one runtime (UpdateAgentRuntimeHeartbeat). It is the most frequent call. It returns the tasks
/// of `running_task_ids` that are no longer in flight on this runtime, and which of them the daemon can resume.
#[pg_extern(name = "multica_heartbeat")]
#[search_path(@extschema@, pg_temp)]
fn multica_heartbeat_since_0_4(
    runtime_id: Option<Uuid>,
    running_task_ids: default!(Option<Vec<Option<Uuid>>>, "NULL"),
    incarnation: default!(Option<Uuid>, "NULL"),
) -> Composite<Beat> {
    call(|call| heartbeat(runtime_id, running_task_ids, incarnation, call))
}

/// Records the heartbeats of many runtimes in one statement; returns how many of the runtimes exist. A runtime that
/// cannot be written is named in a WARNING and not counted.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_heartbeat_many(runtime_ids: Option<Vec<Option<Uuid>>>) -> i64 {
    call(|call| {
        let mut runtimes = distinct_ids("runtime_ids", runtime_ids)?;
        let checks_deferred = !deferred::is_pending_before();
        let lately: HashSet<Uuid> = seen_lately(&runtimes, call.now(), |_| ()).into_iter().map(|(id, ())| id).collect();
        runtimes.retain(|id| !lately.contains(id));
        let written = match runtimes.is_empty() {
            true => 0,
            false => beat_of_online(&runtimes, call.now(), checks_deferred).unwrap_or_else(|| {
                many_rows::write(&runtimes, checks_deferred, |runtimes| {
                    call.part(|part| mark_online(runtimes.to_vec(), part))
                })
            }),
        };
        Ok(lately.len() as i64 + written)
    })
}

/// Returns the runtimes whose heartbeat need not be written, with what `decode` makes of their rows: they are online,
/// and their last heartbeat is younger than a fifth of `multica.stale_after`. Only where every written heartbeat writes
/// all indexes of the table, and only if the threshold leaves time for two heartbeats more: a daemon sends one every 15
/// seconds, so with a threshold below 30 seconds each one counts.
fn seen_lately<R>(runtimes: &[Uuid], now: TimestampWithTimeZone, mut decode: impl FnMut(&Row) -> R) -> Vec<(Uuid, R)> {
    const LEAST_STALE_SECS: f64 = 30.0;
    if !Feature::BeatIndex.is_present() {
        return Vec::new();
    }
    let stale = thresholds::stale_after().secs;
    if stale < LEAST_STALE_SECS {
        return Vec::new();
    }
    let args = [arg(runtimes.to_vec()), arg(now), arg(stale / 5.0)];
    let found = SEEN_LATELY.rows(&args, |row| {
        let is_seen_lately: bool = row.column("is_seen_lately").unwrap_or_default();
        is_seen_lately.then(|| (row.required("id"), decode(row)))
    });
    found.into_iter().flatten().collect()
}

/// Records the heartbeats of runtimes if all that exist are online; returns how many exist. If a runtime was not online
/// or was refused, everything is rolled back, including the locks, and None is returned. The statement skipped that
/// runtime, and to lock it now, after the others, would break the order of the ids.
fn beat_of_online(runtimes: &[Uuid], now: TimestampWithTimeZone, checks_deferred: bool) -> Option<i64> {
    let args = [arg(runtimes.to_vec()), arg(now)];
    let mut seen = 0;
    let all = commit_if_not_refused(|| {
        seen = HEARTBEAT_MANY.run(&args) as i64;
        if checks_deferred {
            deferred::check_of(c"agent_runtime");
        }
        seen == runtimes.len() as i64 || COUNT.row(&args[..1], |row| row.must(1)) == Some(seen)
    });
    matches!(all, Ok(true)).then_some(seen)
}

/// Sets a runtime offline; returns whether it was online.
pub fn set_one_offline(runtime_id: Option<Uuid>, reason: Option<Jsonb>, call: &mut Call) -> Result<bool> {
    let runtime = required("runtime_id", runtime_id)?;
    let reason = object("reason", reason)?;
    workspace_of(runtime)?;
    Ok(set_offline(&[runtime], reason, call) > 0)
}

/// Sets many runtimes offline; returns how many were online.
pub fn deregister(runtime_ids: Option<Vec<Option<Uuid>>>, reason: Option<Jsonb>, call: &mut Call) -> Result<i64> {
    let runtimes = distinct_ids("runtime_ids", runtime_ids)?;
    let reason = object("reason", reason)?;
    let checks_deferred = !deferred::is_pending_before();
    Ok(many_rows::write(&runtimes, checks_deferred, |runtimes| call.part(|part| set_offline(runtimes, reason, part))))
}

/// Returns the value, or 22023 if it is not an object.
fn object(argument: &'static str, value: Option<Jsonb>) -> Result<Option<Jsonb>> {
    match value {
        Some(other) if !other.is_object() => Err(Error::invalid(
            argument,
            "must be a JSON object",
            "Pass an object like {\"code\": \"stopped\"}, or NULL.",
        )),
        object => Ok(object),
    }
}

/// Sets a runtime offline and keeps its `last_seen_at` (SetAgentRuntimeOffline). Returns whether it was online.
#[pg_extern(name = "multica_set_runtime_offline")]
#[search_path(@extschema@, pg_temp)]
fn multica_set_runtime_offline_since_0_4(runtime_id: Option<Uuid>, reason: default!(Option<Jsonb>, "NULL")) -> bool {
    call(|call| set_one_offline(runtime_id, reason, call))
}

/// Sets the runtimes of a daemon that stops offline, with one event per workspace. Returns how many it set offline. A
/// runtime that cannot be written is named in a WARNING.
#[pg_extern(name = "multica_deregister")]
#[search_path(@extschema@, pg_temp)]
fn multica_deregister_since_0_4(
    runtime_ids: Option<Vec<Option<Uuid>>>,
    reason: default!(Option<Jsonb>, "NULL"),
) -> i64 {
    call(|call| deregister(runtime_ids, reason, call))
}

/// Sets runtimes offline that are online but were silent for longer than `stale_secs` (MarkStaleRuntimesOffline). A
/// runtime that never sent a heartbeat is never stale.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_mark_stale_runtimes_offline(
    stale_secs: Option<f64>,
    max_runtimes: default!(Option<i32>, "NULL"),
) -> SetOfIterator<'static, Composite<RuntimeRef>> {
    call(|call| {
        let stale = seconds("stale_secs", stale_secs)?;
        let limit = bound("max_runtimes", max_runtimes)?;
        Ok(set(writer::write(call.now(), |writer| {
            call.part(|part| mark_stale(stale, limit, writer, part, Composite::from_row))
        })))
    })
}
