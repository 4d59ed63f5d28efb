//! What a query gives, as psql would show it.

use anyhow::{Context as _, Result};
use postgres::{Client, SimpleQueryMessage};

/// The columns of every row, joined by blanks.
pub fn values(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    let messages = client.simple_query(sql).with_context(|| sql.to_string())?;
    Ok(rows(&messages))
}

/// The columns of every row of what one or more statements gave, joined by blanks.
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
