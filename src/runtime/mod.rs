//! The SQL-callable functions on runtimes, by topic.

mod collection;
mod delete;
mod liveness;
mod merge;
mod register;
mod registration_request;
mod registry;
mod unknown_keys;

pub use registry::workspace_of;
