//! DDL of install and grant. It fires the event triggers that users defined.

use crate::postgres::statement::{self, Statement};

static LOOSE_EVENT_TRIGGERS: Statement = Statement::stable(sql!("postgres/ddl/event_triggers_without_search_path.sql"));

/// Runs DDL scripts in their order. The event triggers that they fire run with the search_path of this extension,
/// because Postgres sets it for the whole call. If a name is not found, the error gets a hint about the search_path.
pub fn run(scripts: &[impl AsRef<str>]) {
    if scripts.is_empty() {
        return;
    }
    let loose: Option<String> = LOOSE_EVENT_TRIGGERS.row(&[], |row| row.get(1)).flatten();
    let hint = loose.map(|functions| {
        format!(
            "These event trigger functions have no search_path of their own and run with that of multica: {functions}. Run ALTER FUNCTION name(types) SET search_path = path;"
        )
    });
    for script in scripts {
        statement::script(script.as_ref(), hint.as_deref());
    }
}

/// Whether a query that was made from the catalogue returns a row.
pub fn finds(query: &str) -> bool {
    statement::script(&format!("{query} LIMIT 1"), None) > 0
}
