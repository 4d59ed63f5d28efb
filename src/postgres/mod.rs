//! Everything that touches the server: statements and their plans, rows, snapshots, locks, subtransactions, errors. No
//! code here depends on runtimes or tasks.

pub mod acting;
pub mod advisory_lock;
pub mod clock;
pub mod composite;
pub mod ddl;
pub mod deferred;
pub mod entry;
pub mod features;
pub mod held_lock;
pub mod jsonb;
pub mod known_row;
pub mod refusal;
pub mod relation;
pub mod role;
pub mod snapshot;
pub mod statement;
pub mod subtransaction;
pub mod system_cache;
pub mod tree;
