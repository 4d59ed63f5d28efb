//! The ends of tasks for bytes that an agent printed. Postgres refuses an argument of type jsonb or text that cannot be
//! stored before the call begins, and the task would stay running.

use pgrx::Uuid;
use pgrx::prelude::*;

use super::complete::{Completion, complete};
use super::fail::{Failure, fail};
use super::run_end::{Extra, RunEnd};
use crate::clean;
use crate::lifecycle::event::call;
use crate::lifecycle::failure_reason::classify;
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry_as_caller;
use crate::postgres::jsonb::Jsonb;
use crate::types::Transition;

extension_sql_file!(
    "../../sql/extension/comments/raw.sql",
    name = "raw_comments",
    requires = [multica_complete_raw, multica_fail_raw, multica_clean, multica_classify_failure]
);

/// Completes a task, as `multica_complete`, with JSON that an agent printed.
#[allow(clippy::too_many_arguments)]
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_complete_raw(
    task_id: Option<Uuid>,
    result: default!(Option<&[u8]>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
    extra: default!(Option<&[u8]>, "NULL"),
    issue_status: default!(Option<String>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        let result = result.map(|bytes| Jsonb::read(&clean::json(bytes)));
        let end = RunEnd { session_id, work_dir, extra: Extra::read_raw(extra)? };
        complete(Completion { task_id, result, end, claim_token, issue_status }, call)
    })
}

/// Fails a task, as `multica_fail`, with a text that an agent printed.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_fail_raw(
    task_id: Option<Uuid>,
    error: Option<&[u8]>,
    failure_reason: default!(Option<String>, "NULL"),
    session_id: default!(Option<String>, "NULL"),
    work_dir: default!(Option<String>, "NULL"),
    claim_token: default!(Option<i64>, "NULL"),
    extra: default!(Option<&[u8]>, "NULL"),
) -> Composite<Transition> {
    call(|call| {
        let error = error.map(clean::text);
        let end = RunEnd { session_id, work_dir, extra: Extra::read_raw(extra)? };
        fail(Failure { task_id, error, failure_reason, end, claim_token }, call)
    })
}

/// Returns bytes as jsonb, without what Postgres cannot store.
#[pg_extern(immutable, parallel_safe)]
#[search_path(@extschema@, pg_temp)]
fn multica_clean(data: Option<&[u8]>) -> Option<Jsonb> {
    entry_as_caller(|| Ok(data.map(|bytes| Jsonb::read(&clean::json(bytes)))))
}

/// Returns the `failure_reason` that `multica_fail` stores.
#[pg_extern(immutable, parallel_safe)]
#[search_path(@extschema@, pg_temp)]
fn multica_classify_failure(error: Option<&str>, failure_reason: default!(Option<&str>, "NULL")) -> String {
    entry_as_caller(|| Ok(classify(error.unwrap_or_default(), failure_reason.unwrap_or_default())))
}
