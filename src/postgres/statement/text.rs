//! The text of a statement that is passed to Postgres. Its leading comment is removed, because errors show the text to
//! the user.

/// Returns a file of `sql/` without its leading comment and its final line break. Comments inside the statement stay.
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
