//! Rows of queries as text, in the form that psql prints.

use anyhow::{Context as _, Result};
use postgres::{Client, SimpleQueryMessage};

/// Runs a query and returns each row as its columns separated by blanks.
pub fn values(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    let messages = client.simple_query(sql).with_context(|| sql.to_string())?;
    Ok(rows(&messages))
}

/// Returns each row of one or more results as its columns separated by blanks.
pub fn rows(messages: &[SimpleQueryMessage]) -> Vec<String> {
    messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).unwrap_or_default()).collect::<Vec<_>>().join(" "))
            }
            _ => None,
        })
        .collect()
}
