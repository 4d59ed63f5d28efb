//! The SQL-callable functions on tasks, by topic.

mod cancel;
mod claim;
mod complete;
mod enqueue;
mod fail;
mod lookup;
mod rerun;
mod retry;
mod session;
mod source;
mod start;
mod transition;

pub use cancel::cancel;
pub use enqueue::bring_home;
