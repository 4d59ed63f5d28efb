//! The extension's composite types by name, one marker each.

use crate::postgres::composite::Kind;

/// A runtime: `multica_runtime`.
pub struct Runtime;
/// What a registration did with one runtime: `multica_registered`.
pub struct Registered;
/// The result of a heartbeat: `multica_beat`.
pub struct Beat;
/// A runtime by id and workspace: `multica_runtime_ref`.
pub struct RuntimeRef;
/// What was deleted and kept with a runtime: `multica_runtime_deleted`.
pub struct RuntimeDeleted;
/// What a merge moved: `multica_merged`.
pub struct Merged;
/// A task: `multica_task`.
pub struct Task;
/// What a sweep did: `multica_swept`.
pub struct Swept;
/// What recovering orphans did: `multica_recovered`.
pub struct Recovered;
/// What the consequences of failed tasks were: `multica_consequences`.
pub struct Consequences;
/// An event of the event log: `multica_event`.
pub struct Event;
/// A named reader of the event log: `multica_reader`.
pub struct Reader;
/// One object that install created, adopted or altered: `multica_install_step`.
pub struct InstallStep;
/// What a call that queues a task returns: `multica_enqueued`.
pub struct Enqueued;
/// A task as its runtime claims it: `multica_claimed`.
pub struct Claimed;
/// A task after a transition, and what the transition did: `multica_transition`.
pub struct Transition;
/// The session and the working directory that an agent can resume: `multica_session`.
pub struct Session;
/// What follows when a task fails for a reason: `multica_retry_rule`.
pub struct RetryRule;
/// The state of sweeps, tasks and events: `multica_status_report`.
pub struct StatusReport;

impl Kind for Runtime {
    const NAME: &'static str = "multica_runtime";
}
impl Kind for Registered {
    const NAME: &'static str = "multica_registered";
}
impl Kind for Beat {
    const NAME: &'static str = "multica_beat";
}
impl Kind for RuntimeRef {
    const NAME: &'static str = "multica_runtime_ref";
}
impl Kind for RuntimeDeleted {
    const NAME: &'static str = "multica_runtime_deleted";
}
impl Kind for Merged {
    const NAME: &'static str = "multica_merged";
}
impl Kind for Task {
    const NAME: &'static str = "multica_task";
}
impl Kind for Swept {
    const NAME: &'static str = "multica_swept";
}
impl Kind for Recovered {
    const NAME: &'static str = "multica_recovered";
}
impl Kind for Consequences {
    const NAME: &'static str = "multica_consequences";
}
impl Kind for Event {
    const NAME: &'static str = "multica_event";
}
impl Kind for Reader {
    const NAME: &'static str = "multica_reader";
}
impl Kind for InstallStep {
    const NAME: &'static str = "multica_install_step";
}
impl Kind for Enqueued {
    const NAME: &'static str = "multica_enqueued";
}
impl Kind for Claimed {
    const NAME: &'static str = "multica_claimed";
}
impl Kind for Transition {
    const NAME: &'static str = "multica_transition";
}
impl Kind for Session {
    const NAME: &'static str = "multica_session";
}
impl Kind for RetryRule {
    const NAME: &'static str = "multica_retry_rule";
}
impl Kind for StatusReport {
    const NAME: &'static str = "multica_status_report";
}
