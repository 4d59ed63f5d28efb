//! Every setting of the extension: its static, its definition with documentation, its typed reader.
//!
//! The prefix `multica.` is not reserved: the Multica server uses custom settings under the same prefix.

use std::ffi::CString;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

mod stale_after;
mod sweep;

/// The value of a threshold that depends on the tables.
const AUTOMATIC: i32 = -1;

/// Whether the background worker sweeps a database; only `ALTER DATABASE … SET multica.sweep` counts.
#[derive(PostgresGucEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sweep {
    /// The worker skips the database.
    #[name = c"off"]
    Off,
    /// The worker sweeps the database.
    #[name = c"on"]
    On,
}

static SWEEP: GucSetting<Sweep> = GucSetting::<Sweep>::new(Sweep::Off);
static STALE_AFTER: GucSetting<i32> = GucSetting::<i32>::new(AUTOMATIC);
static OFFLINE_GRACE: GucSetting<i32> = GucSetting::<i32>::new(AUTOMATIC);
static QUEUED_TTL: GucSetting<i32> = GucSetting::<i32>::new(AUTOMATIC);
static FINISH_AFTER: GucSetting<i32> = GucSetting::<i32>::new(600);
static HOLD_VERDICTS: GucSetting<bool> = GucSetting::<bool>::new(true);
static DISPATCH_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(300_000);
static RUNNING_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(9_000_000);
static LOST_AFTER: GucSetting<i32> = GucSetting::<i32>::new(90_000);
static IDLE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(0);
static PROGRESS_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(5_000);
static REDELIVER_AFTER: GucSetting<i32> = GucSetting::<i32>::new(90_000);
static PREPARE_LEASE: GucSetting<i32> = GucSetting::<i32>::new(45_000);
static RUNTIME_TTL: GucSetting<i32> = GucSetting::<i32>::new(7 * 86_400);
static EVENT_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(7 * 86_400);
static BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1000);
static BUILD_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(100_000);
static NOTIFY: GucSetting<bool> = GucSetting::<bool>::new(true);
static SWEEP_BUDGET: GucSetting<i32> = GucSetting::<i32>::new(0);
static SWEEP_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static LAUNCHER_DATABASE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"postgres"));
static MAX_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(2);

/// Seconds without a heartbeat after which a runtime is stale; None means automatic.
pub fn stale_after_secs() -> Option<f64> {
    unless_automatic(STALE_AFTER.get()).map(|ms| ms / 1000.0)
}

/// Seconds, counted from the last heartbeat, before the tasks of an offline runtime are failed; None means automatic.
pub fn offline_grace_secs() -> Option<f64> {
    unless_automatic(OFFLINE_GRACE.get()).map(|ms| ms / 1000.0)
}

/// Seconds that a task may be queued after it could have been claimed; 0 means any time, None means automatic.
pub fn queued_ttl_secs() -> Option<f64> {
    unless_automatic(QUEUED_TTL.get())
}

/// Seconds after which a sweep completes what another program left undone after it failed a task; 0 means never.
pub fn finish_after_secs() -> f64 {
    f64::from(FINISH_AFTER.get())
}

/// Whether sweeps wait for heartbeats after an outage.
pub fn hold_verdicts() -> bool {
    HOLD_VERDICTS.get()
}

fn unless_automatic(value: i32) -> Option<f64> {
    (value != AUTOMATIC).then(|| f64::from(value))
}

/// Seconds that a task may stay dispatched.
pub fn dispatch_timeout_secs() -> f64 {
    f64::from(DISPATCH_TIMEOUT.get()) / 1000.0
}

/// Seconds that a task may run.
pub fn running_timeout_secs() -> f64 {
    f64::from(RUNNING_TIMEOUT.get()) / 1000.0
}

/// Seconds after which a task that its daemon no longer names is failed; 0 means never.
pub fn lost_after_secs() -> f64 {
    f64::from(LOST_AFTER.get()) / 1000.0
}

/// Seconds that a running task may give no sign of life after it has given one; 0 means any time.
pub fn idle_timeout_secs() -> f64 {
    f64::from(IDLE_TIMEOUT.get()) / 1000.0
}

/// Seconds between two events about the progress of a task, at least.
pub fn progress_interval_secs() -> f64 {
    f64::from(PROGRESS_INTERVAL.get()) / 1000.0
}

/// Seconds after which a claimed task that was not started is redelivered to its own runtime.
pub fn redeliver_after_secs() -> f64 {
    f64::from(REDELIVER_AFTER.get()) / 1000.0
}

/// Seconds for which a claimed task is leased to its daemon, which prepares it meanwhile; 0 means that there is no lease.
pub fn prepare_lease_secs() -> f64 {
    f64::from(PREPARE_LEASE.get()) / 1000.0
}

/// Seconds after which an offline runtime that nothing refers to is deleted.
pub fn runtime_ttl_secs() -> f64 {
    f64::from(RUNTIME_TTL.get())
}

/// Seconds that events are kept.
pub fn event_retention_secs() -> f64 {
    f64::from(EVENT_RETENTION.get())
}

/// Maximum number of rows that a stage of a sweep handles in one transaction.
pub fn batch_size() -> i64 {
    i64::from(BATCH_SIZE.get())
}

/// Maximum number of rows of a table of which install builds an index without being asked.
pub fn build_limit() -> i64 {
    i64::from(BUILD_LIMIT.get())
}

/// Whether a transaction that recorded an event sends NOTIFY multica_events.
pub fn notify() -> bool {
    NOTIFY.get()
}

/// Milliseconds that a sweep may take before it leaves the rest to the next one; 0 means no limit.
pub fn sweep_budget_ms() -> u64 {
    SWEEP_BUDGET.get() as u64
}

/// Milliseconds between two sweeps of a database by the worker.
pub fn sweep_interval_ms() -> u64 {
    SWEEP_INTERVAL.get() as u64
}

/// The database in which the settings reader reads the settings of databases; empty means any database.
pub fn launcher_database() -> CString {
    LAUNCHER_DATABASE.get().unwrap_or_default()
}

/// Maximum number of databases that are swept at the same time.
pub fn max_workers() -> i32 {
    MAX_WORKERS.get()
}

/// Defines the settings; called once when the library is loaded.
pub fn define() {
    // SAFETY: the hook catches panics and keeps no reference to its arguments.
    unsafe {
        GucRegistry::define_enum_guc_with_hooks(
            c"multica.sweep",
            c"Whether the background worker sweeps this database.",
            c"Set it with ALTER DATABASE; the worker ignores all other sources.",
            &SWEEP,
            GucContext::Userset,
            GucFlags::default(),
            Some(sweep::check),
            None,
            None,
        );
    }
    // SAFETY: the hook does not panic and keeps no reference to its arguments.
    unsafe {
        GucRegistry::define_int_guc_with_hooks(
            c"multica.stale_after",
            c"Time without a heartbeat after which a runtime is stale and is set offline.",
            c"-1 means 150 s in the tables of a server that can keep heartbeats in Redis, and 45 s in other tables.",
            &STALE_AFTER,
            AUTOMATIC,
            i32::MAX,
            GucContext::Userset,
            GucFlags::UNIT_MS,
            Some(stale_after::check),
            None,
            None,
        );
    }
    let spans: [(_, _, _, &'static GucSetting<i32>, i32, GucFlags); 11] = [
        (
            c"multica.offline_grace",
            c"Time that an offline runtime must have been silent before its tasks are failed.",
            c"-1 means 3 h in the tables of a server that can keep heartbeats in Redis, and 0 in other tables.",
            &OFFLINE_GRACE,
            AUTOMATIC,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.queued_ttl",
            c"Time that a task may be queued, after it could have been claimed, before it is failed; 0 means any time.",
            c"-1 means 2 h in the tables of a server that can keep heartbeats in Redis; in other tables tasks never expire.",
            &QUEUED_TTL,
            AUTOMATIC,
            GucFlags::UNIT_S,
        ),
        (
            c"multica.dispatch_timeout",
            c"Time that a task may stay dispatched before it is failed.",
            c"Counted from dispatched_at.",
            &DISPATCH_TIMEOUT,
            1,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.running_timeout",
            c"Time that a task may run before it is failed.",
            c"Counted from started_at.",
            &RUNNING_TIMEOUT,
            1,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.lost_after",
            c"Time after which a task is failed that its daemon no longer names in its heartbeats; 0 means never.",
            c"Counted from the first of at least two heartbeats in a row.",
            &LOST_AFTER,
            0,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.idle_timeout",
            c"Time without a sign of life after which a running task that has given one is failed; 0 means never.",
            c"Counted from the last call of multica_progress or multica_pin_session.",
            &IDLE_TIMEOUT,
            0,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.progress_interval",
            c"Time between two task:progress events of one task, at least.",
            c"A progress that is reported earlier gets no event.",
            &PROGRESS_INTERVAL,
            0,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.redeliver_after",
            c"Time after which a claimed task that was not started is returned to its runtime again.",
            c"Must be longer than a daemon's claim and start requests may take together.",
            &REDELIVER_AFTER,
            1,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.prepare_lease",
            c"Time for which a claimed task is leased to its daemon; a leased task is not returned again. 0 means no lease.",
            c"The daemon extends the lease while it prepares the task.",
            &PREPARE_LEASE,
            0,
            GucFlags::UNIT_MS,
        ),
        (
            c"multica.runtime_ttl",
            c"Time after which an offline runtime that no agent is bound to is deleted.",
            c"Counted from its last heartbeat.",
            &RUNTIME_TTL,
            1,
            GucFlags::UNIT_S,
        ),
        (
            c"multica.event_retention",
            c"Time that events are kept; for a named reader that has not taken them, up to ten times as long.",
            c"Counted from the time at which they were recorded.",
            &EVENT_RETENTION,
            1,
            GucFlags::UNIT_S,
        ),
    ];
    for (name, short, long, setting, least, unit) in spans {
        GucRegistry::define_int_guc(name, short, long, setting, least, i32::MAX, GucContext::Userset, unit);
    }
    GucRegistry::define_int_guc(
        c"multica.batch_size",
        c"Maximum number of rows that a stage of a sweep handles in one transaction.",
        c"A sweep that reaches it reports more = true.",
        &BATCH_SIZE,
        1,
        1_000_000,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"multica.build_limit",
        c"Maximum number of rows of a table of which multica_install builds an index without being asked.",
        c"multica_install(build => true) builds the indexes of any table.",
        &BUILD_LIMIT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"multica.finish_after",
        c"Time after which a sweep queues the retry of a task that the server has failed without it; 0 means never.",
        c"Only in the tables of a server, which fails tasks itself.",
        &FINISH_AFTER,
        0,
        86_400,
        GucContext::Userset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_bool_guc(
        c"multica.hold_verdicts",
        c"Whether sweeps wait for heartbeats after an outage, before they set runtimes offline and fail tasks.",
        c"They wait for multica.stale_after at most.",
        &HOLD_VERDICTS,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"multica.notify",
        c"Whether recorded events send NOTIFY multica_events.",
        c"A commit that notifies takes a lock of the whole cluster; readers can poll instead.",
        &NOTIFY,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"multica.sweep_budget",
        c"Time that a sweep may take before it leaves the rest to the next sweep.",
        c"0 means no limit.",
        &SWEEP_BUDGET,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"multica.sweep_interval",
        c"Time between two sweeps of a database by the background worker.",
        c"The launcher reads it.",
        &SWEEP_INTERVAL,
        100,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_string_guc(
        c"multica.launcher_database",
        c"Database in which the launcher reads the settings of databases, for a few milliseconds at a time.",
        c"If it does not exist or allows no connections, or if this is empty, another database is used.",
        &LAUNCHER_DATABASE,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"multica.max_workers",
        c"Maximum number of databases that are swept at the same time.",
        c"Workers count towards max_worker_processes.",
        &MAX_WORKERS,
        1,
        64,
        GucContext::Sighup,
        GucFlags::default(),
    );
}
