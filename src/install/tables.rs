//! The files of `sql/tables`, in the order in which they can run.

use crate::postgres::statement::render;

/// A table: its name, the statement that creates it, and what is added to the server's shape if install creates it.
pub struct Table {
    /// Name of the table.
    pub name: &'static str,
    /// The statement that creates the table. Columns that only some of the server's generations have are marked with
    /// their features.
    shape: &'static str,
    /// Defaults and triggers that only created tables get.
    extra: &'static str,
}

impl Table {
    /// Returns the statement that creates the table with the columns of these features.
    pub fn shape(&self, has: impl Fn(&str) -> bool) -> String {
        format!("{};", render(self.shape, has).trim_end_matches(';'))
    }

    /// Returns what is added to a created table. Functions are created in `schema` with `path` as their search_path;
    /// both are written as in SQL.
    pub fn extra(&self, schema: &str, path: &str) -> String {
        self.extra.replace("@schema@", schema).replace("@path@", path)
    }
}

const fn table(name: &'static str, shape: &'static str) -> Table {
    Table { name, shape, extra: "" }
}

/// Every table, referenced ones first.
pub static TABLES: [Table; 23] = [
    table("workspace", sql!("tables/workspace.sql")),
    table("user", sql!("tables/user.sql")),
    table("member", sql!("tables/member.sql")),
    table("agent_runtime", sql!("tables/agent_runtime.sql")),
    Table { name: "agent", shape: sql!("tables/agent.sql"), extra: sql!("tables/fresh_only/agent.sql") },
    Table { name: "issue", shape: sql!("tables/issue.sql"), extra: sql!("tables/fresh_only/issue.sql") },
    table("comment", sql!("tables/comment.sql")),
    table("chat_session", sql!("tables/chat_session.sql")),
    table("chat_message", sql!("tables/chat_message.sql")),
    table("autopilot", sql!("tables/autopilot.sql")),
    Table {
        name: "autopilot_run",
        shape: sql!("tables/autopilot_run.sql"),
        extra: sql!("tables/fresh_only/autopilot_run.sql"),
    },
    table(TASKS, sql!("tables/agent_task_queue.sql")),
    table("multica_event_log", sql!("tables/multica_event_log.sql")),
    table("multica_event_reader", sql!("tables/multica_event_reader.sql")),
    table("multica_sweep_state", sql!("tables/multica_sweep_state.sql")),
    table("multica_sweep_total", sql!("tables/multica_sweep_total.sql")),
    table("multica_retry_policy", sql!("tables/multica_retry_policy.sql")),
    table("multica_claim_limit", sql!("tables/multica_claim_limit.sql")),
    table("multica_runtime_incarnation", sql!("tables/multica_runtime_incarnation.sql")),
    table("multica_task_incarnation", sql!("tables/multica_task_incarnation.sql")),
    table("multica_task_unnamed", sql!("tables/multica_task_unnamed.sql")),
    table("multica_task_progress", sql!("tables/multica_task_progress.sql")),
    table("multica_runtime_return", sql!("tables/multica_runtime_return.sql")),
];

/// Returns the names of the tables.
pub fn table_names() -> Vec<String> {
    TABLES.iter().map(|table| table.name.to_string()).collect()
}

/// Tables of a newer server that statements name where the tables have the feature.
static OF_NEWER_SERVERS: [&str; 7] = [
    "autopilot_quota_period",
    "autopilot_quota_reservation",
    "issue_status",
    "runtime_profile",
    "squad",
    "squad_member",
    "task_token",
];

/// Returns the names of all tables that statements name; the task table, whose owner owns all tables, is the first.
pub fn named_tables() -> impl Iterator<Item = &'static str> {
    let others = TABLES.iter().map(|table| table.name).filter(|name| *name != TASKS);
    std::iter::once(TASKS).chain(others).chain(OF_NEWER_SERVERS)
}

/// The task table. Its owner owns all tables, and its statuses show the generation of a schema.
pub const TASKS: &str = "agent_task_queue";

/// What the server's tables have besides their CREATE TABLE. In an adopted table it is only reported if it is missing.
pub static REST: [&str; 2] = [sql!("tables/server_extras/foreign_keys.sql"), sql!("tables/server_extras/indexes.sql")];

static LEASE_AND_RETRY: &str = sql!("tables/additions/lease_and_retry.sql");

/// Returns the columns of migration 055, as they are in a task table with these features. Install adds them to an
/// adopted table that lacks them.
pub fn lease_and_retry(has: impl Fn(&str) -> bool) -> String {
    render(LEASE_AND_RETRY, has)
}

/// What the server's later migrations added to each table.
static LATER: [(&str, &str); 4] = [
    ("agent_runtime", sql!("tables/later/agent_runtime.sql")),
    ("chat_session", sql!("tables/later/chat_session.sql")),
    ("autopilot", sql!("tables/later/autopilot.sql")),
    (TASKS, sql!("tables/later/agent_task_queue.sql")),
];

/// Returns what the server's later migrations added to tables with these features, which are asked for by table and
/// name. Tables that install made have all of it.
pub fn later(has: impl Fn(&str, &str) -> bool) -> Vec<String> {
    LATER.iter().map(|(table, file)| render(file, |feature| has(table, feature))).collect()
}

static PENDING_SLOT: &str = sql!("tables/additions/pending_slot.sql");
/// The indexes that install adds.
pub static INDEXES: &str = sql!("tables/additions/indexes.sql");
static SOURCE_DELETED: &str = sql!("tables/additions/source_deleted.sql");

/// Returns the indexes and the trigger that install adds to an adopted table with these features, which are asked for
/// by table and name. Functions are created in `schema`, which is written as in SQL.
pub fn added(schema: &str, has: impl Fn(&str, &str) -> bool) -> [String; 3] {
    let table_of = |feature: &str| if feature == "chat_runtime" { "chat_session" } else { TASKS };
    let indexes = render(INDEXES, |feature| has(table_of(feature), feature));
    [PENDING_SLOT.into(), indexes, SOURCE_DELETED.replace("@schema@", schema)]
}

/// Columns that releases before 0.4.0 created NOT NULL, and that are NULL for a task or an agent without a runtime.
pub static OPTIONAL: [(&str, &str); 2] = [("agent", "runtime_id"), (TASKS, "runtime_id")];

/// The check of the statuses of a task.
pub static STATUS_CHECK: &str = "agent_task_queue_status_check";

/// The meaning of the status check in releases before 0.4.0. A check with other words is a user's, and stays.
pub static FORMER_STATUS_CHECK: &str = "check status cancelled, completed, dispatched, failed, queued, running";

/// Indexes of the task table in releases before 0.4.0 that no statement needs any more.
pub static FORMER_INDEXES: [&str; 11] = [
    "idx_agent_task_queue_pending",
    "idx_agent_task_queue_runtime_pending",
    "idx_agent_task_queue_chat_pending",
    "idx_agent_task_queue_issue",
    "idx_agent_task_queue_parent",
    "multica_task_in_flight",
    "multica_task_unstarted",
    "multica_task_running",
    "multica_task_busy",
    "multica_task_dispatched",
    "multica_task_chat",
];

/// Whether a table is the extension's own rather than one that it shares with the server.
pub fn is_own(table: &str) -> bool {
    table.starts_with("multica_")
}

/// Objects that later migrations of the server have removed or replaced by others. After these migrations, install does
/// not report them as missing.
pub static REPLACED: [&str; 13] = [
    "agent_runtime.agent_runtime_workspace_id_daemon_id_provider_key",
    "agent_task_queue.agent_task_queue_accountable_matches_originator",
    "agent_task_queue.agent_task_queue_active_requires_runtime",
    "agent_task_queue.agent_task_queue_status_check",
    "autopilot.autopilot_assignee_id_fkey",
    "autopilot_run.autopilot_run_status_check",
    "comment.comment_author_type_check",
    "idx_comment_issue",
    "issue.issue_assignee_type_check",
    "issue.issue_origin_type_check",
    "issue.issue_status_check",
    "issue.issue_creator_type_check",
    "idx_one_pending_task_per_issue_agent",
];
