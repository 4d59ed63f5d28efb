//! Rows of queries as text, in the form that psql prints.

use std::collections::BTreeMap;

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

/// Whether a server gets this text of a file of `sql/`: the file without comments, and without the parts that depend on
/// a feature that the tables lack, or on the lack of one that they have.
pub fn is_statement_of(file: &str, text: &str) -> bool {
    let lines: Vec<&str> = file.lines().collect();
    let wanted: Vec<&str> = text.lines().collect();
    can_become(&lines, &wanted, &BTreeMap::new())
}

/// Whether the lines of a file can become the wanted lines, if the tables have the features that map to true and lack
/// those that map to false.
fn can_become(mut lines: &[&str], mut wanted: &[&str], features: &BTreeMap<&str, bool>) -> bool {
    while let Some((line, rest)) = lines.split_first() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["--", kind @ ("feature" | "without"), name] = words[..] {
            return [true, false]
                .into_iter()
                .filter(|is_present| features.get(name).is_none_or(|known| known == is_present))
                .any(|is_present| {
                    let mut known = features.clone();
                    known.insert(name, is_present);
                    let belongs = is_present == (kind == "feature");
                    can_become(if belongs { rest } else { after_part(name, rest) }, wanted, &known)
                });
        }
        lines = rest;
        let code = line.trim_start().strip_prefix("--|").unwrap_or(line);
        // No statement has two dashes in a text before a comment.
        let code = code.split_once(" -- ").map_or(code, |(code, _)| code).trim_end();
        if code.is_empty() || code.trim_start().starts_with("--") {
            continue;
        }
        match wanted.split_first() {
            Some((next, others)) if *next == code => wanted = others,
            _ => return false,
        }
    }
    wanted.is_empty()
}

/// Returns the lines after the end of a part. A part contains no other part of its name.
fn after_part<'a, 'b>(name: &str, lines: &'b [&'a str]) -> &'b [&'a str] {
    let end = lines.iter().position(|line| line.split_whitespace().eq(["--", "end", name]));
    end.map_or(&[], |end| &lines[end + 1..])
}
