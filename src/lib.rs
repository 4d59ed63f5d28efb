//! `multica`: the lifecycle of AI-agent runtimes and their tasks, inside Postgres.

use pgrx::prelude::*;

mod argument;
mod backlog;
mod budget;
mod capability;
mod clock;
mod ddl;
mod deferred;
mod entry;
mod error;
mod event;
mod failure;
mod grant;
mod install;
mod json;
mod kind;
mod lock;
mod many;
mod other_kind;
mod recovery;
mod refusal;
mod repair;
mod role;
mod row;
mod runtime;
mod settings;
mod spi;
mod status;
mod subtransaction;
mod sweep;
mod sweep_all;
mod sweep_setting;
mod task;
mod version;
mod worker;
mod writer;

pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/install/types.sql", name = "types", bootstrap);
extension_sql_file!(
    "../sql/install/comments/types.sql",
    name = "types_comments",
    requires = ["types"]
);
extension_sql_file!(
    "../sql/install/sweep_all.sql",
    name = "sweep_all",
    requires = ["types"]
);
extension_sql_file!(
    "../sql/install/metrics.sql",
    name = "metrics",
    requires = [status::multica_status]
);
extension_sql_file!(
    "../sql/install/privileges.sql",
    name = "privileges",
    finalize
);

/// Defines the settings when the library is loaded, and registers the launcher when the server preloads it.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    entry::register();
    settings::define();
    worker::register();
    event::wake::register();
    spi::planner::register();
}

/// What the framework of the test functions asks a crate for.
#[cfg(test)]
pub mod pg_test {
    /// Nothing has to be prepared.
    pub fn setup(_options: Vec<&str>) {}

    /// The test functions need no setting.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        Vec::new()
    }
}
