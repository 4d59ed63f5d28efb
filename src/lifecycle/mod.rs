//! Code that the calls share: the locks that they take, the consequences of failures, and the events that they record.
//! No function here can be called from SQL.

pub mod cancellation;
pub mod claim_limits;
pub mod collection;
pub mod compatibility;
pub mod consequences;
pub mod event;
pub mod existence;
pub mod failure_reason;
pub mod features;
pub mod history;
pub mod incarnation;
pub mod liveness;
pub mod lock_set;
pub mod many_rows;
pub mod merge;
pub mod placement;
pub mod promotion;
pub mod records;
pub mod repair;
pub mod resumption;
pub mod retry_policy;
pub mod rows_in_work;
pub mod runtime_return;
pub mod sessions;
pub mod sign_of_life;
#[allow(dead_code, reason = "statements write most of the sets")]
pub mod status_sets;
pub mod system_agents;
pub mod thresholds;
pub mod unnamed;
pub mod verdict;
pub mod writer;
