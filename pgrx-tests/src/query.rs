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

/// What a server gets of a file of `sql/` where the tables have every feature: the text without comments.
pub fn statement(file: &str) -> String {
    let code = file.lines().map(|line| match line.trim_start().starts_with("--") {
        true => "",
        // No statement has two dashes in a text before a comment.
        false => line.split_once(" -- ").map_or(line, |(code, _)| code).trim_end(),
    });
    code.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
