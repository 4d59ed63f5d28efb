//! The limits of tasks in flight that claims obey.

use pgrx::Uuid;
use pgrx::prelude::*;

use crate::argument::{excerpt, key as checked_key, one_of, required};
use crate::error::{Error, Result};
use crate::postgres::entry::entry;
use crate::postgres::statement::{Statement, arg};

static SET: Statement = Statement::volatile(sql!("task/limit/set.sql"));
static REMOVE: Statement = Statement::volatile(sql!("task/limit/remove.sql"));
static KEY_EXISTS: Statement = Statement::volatile(sql!("task/limit/key_exists.sql")).of_visible_rows();

extension_sql_file!("../../sql/extension/comments/limit.sql", name = "limit_comments", requires = [multica_limit]);

/// Limits how many tasks of a runtime, a provider or a workspace are in flight at a time; NULL removes the limit. Returns
/// whether the limit has changed.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_limit(scope: Option<&str>, key: Option<&str>, max_in_flight: default!(Option<i32>, "NULL")) -> bool {
    entry(|| {
        let scope = required("scope", scope)?;
        one_of("scope", scope, &["runtime", "provider", "workspace"])?;
        let key = required("key", key)?;
        let key = if scope == "provider" { provider(key)? } else { id_of(scope, key, max_in_flight)? };
        match max_in_flight {
            None => Ok(REMOVE.run(&[arg(scope), arg(key)]) > 0),
            Some(negative) if negative < 0 => {
                let problem = format!("{negative} is below 0");
                Err(Error::invalid("max_in_flight", problem, "Pass 0 or more, or NULL for no limit."))
            }
            Some(most) => Ok(SET.run(&[arg(scope), arg(key), arg(most)]) > 0),
        }
    })
}

/// Returns the name of a provider as runtimes have it, in lower case.
fn provider(name: &str) -> Result<String> {
    checked_key("key", name)?;
    Ok(name.trim().to_lowercase())
}

/// Returns the id of a runtime or a workspace in its usual form. It must exist, unless its limit is removed.
fn id_of(scope: &str, text: &str, max_in_flight: Option<i32>) -> Result<String> {
    let id = uuid::Uuid::parse_str(text.trim()).map_err(|_| {
        let problem = format!("'{}' is not the id of a {scope}", excerpt(text));
        Error::invalid("key", problem, format!("Pass the id of a {scope}, as text."))
    })?;
    let exists = || KEY_EXISTS.row(&[arg(scope), arg(Uuid::from_bytes(*id.as_bytes()))], |row| row.must(1));
    if max_in_flight.is_some() && exists() != Some(true) {
        return Err(Error::not_found(if scope == "runtime" { "runtime" } else { "workspace" }, id));
    }
    Ok(id.to_string())
}
