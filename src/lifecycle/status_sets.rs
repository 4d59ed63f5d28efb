//! The sets of statuses of a task. Statements in `sql/` write the same sets, and a test compares each of their lists with
//! this file, which therefore uses no other module of the crate.
//!
//! A status that this version does not know is active, and it counts as in flight, but no call claims, fails or cancels
//! a task that has it. Therefore [`NOT_ACTIVE`], [`NOT_BUSY`] and [`NOT_WORKING`] list the statuses that a task of such a
//! set does not have.

/// The statuses that the newest server knows.
pub const KNOWN: [&str; 8] =
    ["queued", "dispatched", "running", "completed", "failed", "cancelled", "waiting_local_directory", "deferred"];

/// The task has ended, and its status never changes again.
pub const TERMINAL: [&str; 3] = ["completed", "failed", "cancelled"];

/// A daemon has the task: it can fail, and it takes one of the places of its agent.
pub const IN_FLIGHT: [&str; 3] = ["dispatched", "running", "waiting_local_directory"];

/// As [`IN_FLIGHT`], in tables without the status `waiting_local_directory`.
pub const IN_FLIGHT_WITHOUT_WAITING: [&str; 2] = ["dispatched", "running"];

/// A daemon has the task and has not started it.
pub const STARTABLE: [&str; 2] = ["dispatched", "waiting_local_directory"];

/// A daemon works on the task, so its heartbeats name it. A task that was claimed and not started may not be named yet.
pub const NAMED: [&str; 2] = ["running", "waiting_local_directory"];

/// The task takes the pending slot of its issue and agent. So does a deferred task whose media are pending.
pub const PENDING: [&str; 2] = ["queued", "dispatched"];

/// The task has not started.
pub const NOT_STARTED: [&str; 4] = ["queued", "deferred", "dispatched", "waiting_local_directory"];

/// A rerun beside a server replaces the task.
pub const REPLACED_BY_RERUN: [&str; 3] = ["queued", "dispatched", "deferred"];

/// No daemon has the task yet.
pub const WAITING: [&str; 2] = ["queued", "deferred"];

/// The task can be cancelled.
pub const CANCELLABLE: [&str; 5] = ["queued", "dispatched", "running", "waiting_local_directory", "deferred"];

/// The task has ended without a result.
pub const UNSUCCESSFUL: [&str; 2] = ["failed", "cancelled"];

/// What a task does not have that is active: a task with any other status is active.
pub const NOT_ACTIVE: [&str; 3] = TERMINAL;

/// What a task does not have that is in flight, unknown statuses included.
pub const NOT_BUSY: [&str; 5] = ["completed", "failed", "cancelled", "queued", "deferred"];

/// What a task does not have because of which its agent is working: an agent does not work while its task waits for a
/// directory.
pub const NOT_WORKING: [&str; 6] =
    ["completed", "failed", "cancelled", "queued", "deferred", "waiting_local_directory"];
