//! The files of `sql/tables`, in the order in which they can run.

/// A table: its name, the statement that creates it, and what is added to the server's shape if install creates it.
pub struct Table {
    /// Name of the table.
    pub name: &'static str,
    /// The server's shape, with which an existing table is compared.
    pub shape: &'static str,
    /// Defaults and triggers that only created tables get.
    extra: &'static str,
}

impl Table {
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
pub static TABLES: [Table; 16] = [
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
];

/// Returns the names of the tables.
pub fn table_names() -> Vec<String> {
    TABLES.iter().map(|table| table.name.to_string()).collect()
}

/// The task table. Its owner owns all tables, and its statuses show the generation of a schema.
pub const TASKS: &str = "agent_task_queue";

/// What the server's tables have besides their CREATE TABLE. In an adopted table it is only reported if it is missing.
pub static REST: [&str; 2] = [sql!("tables/server_extras/foreign_keys.sql"), sql!("tables/server_extras/indexes.sql")];

static ADDED: [&str; 4] = [
    sql!("tables/additions/lease_and_retry.sql"),
    sql!("tables/additions/pending_slot.sql"),
    sql!("tables/additions/indexes.sql"),
    sql!("tables/additions/source_deleted.sql"),
];

/// Returns everything that install adds to an adopted table. Functions are created in `schema`, which is written as in
/// SQL.
pub fn added(schema: &str) -> Vec<String> {
    ADDED.map(|file| file.replace("@schema@", schema)).to_vec()
}

/// Whether a table is the extension's own rather than one that it shares with the server.
pub fn is_own(table: &str) -> bool {
    table.starts_with("multica_")
}
