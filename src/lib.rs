//! `multica`: the lifecycle of AI-agent runtimes and their tasks, inside Postgres.

use pgrx::prelude::*;

/// The text of a file of `sql/`.
macro_rules! sql {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/", $file))
    };
}

mod argument;
mod capability;
mod clean;
mod error;
mod event;
mod grant;
mod install;
mod lifecycle;
mod postgres;
mod runtime;
mod settings;
mod status;
mod sweep;
mod task;
mod types;
mod version;
mod worker;

pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/extension/types.sql", name = "types", bootstrap);
extension_sql_file!("../sql/extension/comments/types.sql", name = "types_comments", requires = ["types"]);
extension_sql_file!("../sql/extension/sweep_all.sql", name = "sweep_all", requires = ["types"]);
extension_sql_file!("../sql/extension/install_all.sql", name = "install_all", requires = ["types"]);
extension_sql_file!("../sql/extension/metrics.sql", name = "metrics", requires = [status::multica_status]);
extension_sql_file!("../sql/extension/privileges.sql", name = "privileges", finalize);

/// Defines the settings when the library is loaded, and registers the launcher when the server preloads it.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    postgres::entry::register();
    settings::define();
    worker::register();
    lifecycle::event::notification::register();
    postgres::statement::planner::register();
    postgres::features::register(&lifecycle::features::ALL);
    postgres::acting::register(install::named_tables());
}

/// What the framework of the test functions requires of a crate.
#[cfg(test)]
pub mod pg_test {
    /// Nothing has to be prepared.
    pub fn setup(_options: Vec<&str>) {}

    /// The test functions need no setting.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        Vec::new()
    }
}
