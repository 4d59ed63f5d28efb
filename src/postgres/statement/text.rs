//! The text of a statement that is passed to Postgres. It has no comments, because errors show it to the user.

/// Returns a file of `sql/` without its leading comment and its final line break. The file must have no other comments.
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
