//! The files of `sql/tables`, in the order in which they can run.

/// A table: its name, what creates it, and what a table that install creates gets on top of the server's shape.
pub struct Table {
    /// Name of the table.
    pub name: &'static str,
    /// The server's shape, which a table that was there before is compared with.
    pub shape: &'static str,
    /// Defaults for newcomers and triggers, on created tables only.
    extra: &'static str,
}

impl Table {
    /// What a created table gets on top, in a schema whose objects find each other by `path`; both are spelled as in SQL.
    pub fn extra(&self, schema: &str, path: &str) -> String {
        self.extra
            .replace("@schema@", schema)
            .replace("@path@", path)
    }
}

const fn table(name: &'static str, shape: &'static str) -> Table {
    Table {
        name,
        shape,
        extra: "",
    }
}

/// Every table, referenced ones first.
pub static TABLES: [Table; 16] = [
    table("workspace", include_str!("../../sql/tables/workspace.sql")),
    table("user", include_str!("../../sql/tables/user.sql")),
    table("member", include_str!("../../sql/tables/member.sql")),
    table(
        "agent_runtime",
        include_str!("../../sql/tables/agent_runtime.sql"),
    ),
    Table {
        name: "agent",
        shape: include_str!("../../sql/tables/agent.sql"),
        extra: include_str!("../../sql/tables/created/agent.sql"),
    },
    Table {
        name: "issue",
        shape: include_str!("../../sql/tables/issue.sql"),
        extra: include_str!("../../sql/tables/created/issue.sql"),
    },
    table("comment", include_str!("../../sql/tables/comment.sql")),
    table(
        "chat_session",
        include_str!("../../sql/tables/chat_session.sql"),
    ),
    table(
        "chat_message",
        include_str!("../../sql/tables/chat_message.sql"),
    ),
    table("autopilot", include_str!("../../sql/tables/autopilot.sql")),
    Table {
        name: "autopilot_run",
        shape: include_str!("../../sql/tables/autopilot_run.sql"),
        extra: include_str!("../../sql/tables/created/autopilot_run.sql"),
    },
    table(TASKS, include_str!("../../sql/tables/agent_task_queue.sql")),
    table(
        "multica_event_log",
        include_str!("../../sql/tables/multica_event_log.sql"),
    ),
    table(
        "multica_event_reader",
        include_str!("../../sql/tables/multica_event_reader.sql"),
    ),
    table(
        "multica_sweep_state",
        include_str!("../../sql/tables/multica_sweep_state.sql"),
    ),
    table(
        "multica_sweep_total",
        include_str!("../../sql/tables/multica_sweep_total.sql"),
    ),
];

/// The table whose owner owns everything, and whose statuses say which generation a schema is of.
pub const TASKS: &str = "agent_task_queue";

/// What the server's tables have beyond their CREATE TABLE: looked for in an adopted table and reported when missing.
pub static REST: [&str; 2] = [
    include_str!("../../sql/tables/rest/foreign_keys.sql"),
    include_str!("../../sql/tables/rest/indexes.sql"),
];

static ADDED: [&str; 4] = [
    include_str!("../../sql/tables/added/lease_and_retry.sql"),
    include_str!("../../sql/tables/added/pending_slot.sql"),
    include_str!("../../sql/tables/added/indexes.sql"),
    include_str!("../../sql/tables/added/source_deleted.sql"),
];

/// What install adds to an adopted table, and all that it adds; functions go to a schema, which is spelled as in SQL.
pub fn added(schema: &str) -> Vec<String> {
    ADDED.map(|file| file.replace("@schema@", schema)).to_vec()
}

/// Whether a table is the extension's own rather than one that it shares with the server.
pub fn is_own(table: &str) -> bool {
    table.starts_with("multica_")
}
