//! The text of a statement as Postgres is given it: an error shows it to the user, who has no use for comments.

/// A file of `sql/` without the comment that it begins with and the line break that it ends with. Comments stand
/// nowhere else.
pub const fn statement(file: &'static str) -> &'static str {
    let mut text = file;
    while let [b'-', b'-', ..] = text.as_bytes() {
        text = after_line(text);
    }
    text.trim_ascii_end()
}

const fn after_line(text: &'static str) -> &'static str {
    let mut at = 0;
    while at < text.len() && text.as_bytes()[at] != b'\n' {
        at += 1;
    }
    text.split_at(if at < text.len() { at + 1 } else { at }).1
}
