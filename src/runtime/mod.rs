//! The SQL-callable functions on runtimes, by topic.

mod collection;
mod delete;
mod former;
mod liveness;
mod lookup;
mod merge;
mod profile;
mod register;
mod registration_request;
mod unbind;
mod unknown_keys;
mod upsert;
