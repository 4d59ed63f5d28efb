//! Plans from auto_explain: the statements that ran, and the scans that read more of a table than they need.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use postgres::{Client, NoTls};
use serde_json::Value;

use crate::database::Database;

/// A database session that returns the plan of every statement, at whatever level.
pub struct PlanSession {
    /// The connection.
    pub client: Client,
    messages: Arc<Mutex<Vec<String>>>,
}

impl PlanSession {
    /// Connects and loads auto_explain.
    pub fn connect(database: &Database) -> Result<PlanSession> {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&messages);
        let mut config = database.cluster().config(&database.name);
        config.notice_callback(move |notice| {
            let mut messages = collected.lock().unwrap_or_else(PoisonError::into_inner);
            messages.push(notice.message().to_string());
        });
        let mut client = config.connect(NoTls)?;
        client.batch_execute(
            "LOAD 'auto_explain';
             SET auto_explain.log_level = 'notice';
             SET auto_explain.log_format = 'json';
             SET auto_explain.log_nested_statements = on",
        )?;
        Ok(PlanSession { client, messages })
    }

    /// Runs statements and returns their plans, and those of the functions that they call.
    pub fn plans(&mut self, sql: &str) -> Result<Vec<Value>> {
        self.client.batch_execute("SET auto_explain.log_min_duration = 0")?;
        self.client.batch_execute(sql)?;
        self.client.batch_execute("SET auto_explain.log_min_duration = -1")?;
        let messages = std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
        messages
            .iter()
            .filter(|message| message.starts_with("duration: "))
            .map(|message| {
                let from = message.find('{').context("a plan in JSON")?;
                Ok(serde_json::from_str(&message[from..])?)
            })
            .collect()
    }
}

/// The statement of a plan.
pub fn text(plan: &Value) -> &str {
    plan["Query Text"].as_str().unwrap_or_default()
}

/// The leading column of an index, and whether the index is partial.
pub struct Index {
    leading: String,
    partial: bool,
}

/// Every index of a database by name.
pub fn indexes(client: &mut Client) -> Result<HashMap<String, Index>> {
    let rows = client.query(
        "SELECT c.relname::text, pg_get_indexdef(i.indexrelid, 1, false), i.indpred IS NOT NULL
         FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid",
        &[],
    )?;
    let index = |row: &postgres::Row| Index { leading: row.get(1), partial: row.get(2) };
    Ok(rows.iter().map(|row| (row.get(0), index(row))).collect())
}

/// Returns the scans of a plan that read a whole table: sequential scans of `tables`, and for `by_index` also scans of
/// an index over all rows without a condition on its leading column. A scan that a LIMIT ends and that filters out no
/// row is left out, because it only finds the least or greatest id. Version 17 no longer checks there that the id is
/// not null.
pub fn whole_reads(
    plan: &Value,
    tables: &[&str],
    by_index: &[&str],
    indexes: &HashMap<String, Index>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let whole = |table: &str, node: &Value| {
        let field = |key: &str| node[key].as_str().unwrap_or_default();
        match field("Node Type") {
            "Seq Scan" | "Sample Scan" => tables.contains(&table),
            "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
                by_index.contains(&table)
                    && indexes
                        .get(field("Index Name"))
                        .is_none_or(|index| !index.partial && !field("Index Cond").contains(&index.leading))
            }
            _ => false,
        }
    };
    collect(&plan["Plan"], "", false, &whole, &mut found);
    found
}

fn collect(
    node: &Value,
    table: &str,
    is_stopped: bool,
    whole: &impl Fn(&str, &Value) -> bool,
    found: &mut BTreeSet<String>,
) {
    // A bitmap's index scan does not name its table; the node above it does.
    let table = node["Relation Name"].as_str().unwrap_or(table);
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let ends_early = is_stopped && kind.starts_with("Index") && node["Filter"].is_null();
    if !ends_early && whole(table, node) {
        let field = |key: &str| node[key].as_str().unwrap_or_default();
        found.insert(format!("{} of {table} {}", field("Node Type"), field("Index Name")));
    }
    for below in node["Plans"].as_array().into_iter().flatten() {
        collect(below, table, kind == "Limit", whole, found);
    }
}
