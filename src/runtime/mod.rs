//! The SQL-callable functions on runtimes, by topic.

mod delete;
mod gc;
mod history;
mod liveness;
mod merge;
mod register;
mod registration;
mod registry;
mod unknown_keys;

pub use gc::collect;
pub use liveness::{mark_stale, revive};
pub use registry::workspace_of;
