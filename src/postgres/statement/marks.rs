//! The marks in a file of `sql/` begin and end the parts that depend on a feature:
//!
//! ```sql
//! UPDATE agent_task_queue SET
//!     -- feature task_beat
//!     last_heartbeat_at = $2,
//!     -- end task_beat
//!     status = 'running'
//! WHERE id = $1
//!     -- without squad
//!     --| AND issue_id IS NOT NULL
//!     -- end squad
//! ```
//!
//! The statement contains a part after `-- feature NAME` if the feature is present, and a part after `-- without NAME`
//! if the feature is missing. Each line of a part after `-- without NAME` begins with `--|`. Therefore the unchanged
//! file is a valid statement for a database with every feature. Parts can be nested. A mark is a line that contains
//! nothing else and exactly one name, so `-- without an index` is an ordinary comment.

/// The kinds of lines.
#[derive(Clone, Copy)]
pub enum Line<'a> {
    /// `-- feature NAME`.
    Feature(&'a str),
    /// `-- without NAME`.
    Without(&'a str),
    /// `-- end NAME`.
    End(&'a str),
    /// `--| text`, in a part after `-- without NAME`.
    Hidden(&'a str),
    /// Any other comment, or an empty line.
    Comment,
    /// A line of the statement, with its indentation.
    Text(&'a str),
}

/// The maximum depth of nested parts.
const DEPTH: usize = 8;

/// Returns the first line of a text, without its line break, and the rest of the text.
pub const fn split_line(text: &str) -> (&str, &str) {
    let mut at = 0;
    while at < text.len() {
        if text.as_bytes()[at] == b'\n' {
            let (line, rest) = text.split_at(at);
            return (line, rest.split_at(1).1);
        }
        at += 1;
    }
    (text, "")
}

/// Returns the kind of a line. Whether the line is allowed at its place is not checked.
pub const fn line(line: &str) -> Line<'_> {
    let trimmed = line.trim_ascii();
    let Some(comment) = after(trimmed, "--") else {
        return if trimmed.is_empty() { Line::Comment } else { Line::Text(line) };
    };
    if let Some(text) = after(comment, "|") {
        return Line::Hidden(text);
    }
    match (after(comment, " feature "), after(comment, " without "), after(comment, " end ")) {
        (Some(name), ..) if is_one_word(name) => Line::Feature(name),
        (_, Some(name), _) if is_one_word(name) => Line::Without(name),
        (.., Some(name)) if is_one_word(name) => Line::End(name),
        _ => Line::Comment,
    }
}

/// Returns the first error in the marks of a file.
pub const fn fault(file: &str) -> Option<&'static str> {
    let mut open = [""; DEPTH];
    let mut hides = [false; DEPTH];
    let mut depth = 0;
    let mut rest = file;
    while !rest.is_empty() {
        let (first, after) = split_line(rest);
        rest = after;
        // A part inside a hidden part is hidden too.
        let hidden = depth > 0 && hides[depth - 1];
        match line(first) {
            Line::Feature(name) | Line::Without(name) if !is_name(name) => return Some("a name is no lower-case word"),
            Line::Feature(_) | Line::Without(_) if depth == DEPTH => return Some("parts are nested too deeply"),
            Line::Feature(name) => {
                (open[depth], hides[depth]) = (name, hidden);
                depth += 1;
            }
            Line::Without(name) => {
                (open[depth], hides[depth]) = (name, true);
                depth += 1;
            }
            Line::End(_) if depth == 0 => return Some("an end has no beginning"),
            Line::End(name) if !is_same(name, open[depth - 1]) => return Some("an end is that of another part"),
            Line::End(_) => depth -= 1,
            Line::Hidden(_) if !hidden => return Some("a line with --| is in no part without a feature"),
            Line::Text(_) if hidden => return Some("a line of a part without a feature lacks --|"),
            Line::Hidden(_) | Line::Text(_) | Line::Comment => {}
        }
    }
    if depth > 0 { Some("a part has no end") } else { None }
}

/// Returns the text after a prefix, or None if the text does not begin with the prefix.
const fn after<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    if text.len() < prefix.len() {
        return None;
    }
    let (start, rest) = text.as_bytes().split_at(prefix.len());
    let mut at = 0;
    while at < start.len() {
        if start[at] != prefix.as_bytes()[at] {
            return None;
        }
        at += 1;
    }
    match std::str::from_utf8(rest) {
        Ok(rest) => Some(rest),
        Err(_) => None,
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    matches!(after(one, other), Some(rest) if rest.is_empty())
}

/// Whether a text is a single word. A comment with more words after `feature`, `without` or `end` is not a mark.
const fn is_one_word(text: &str) -> bool {
    let mut at = 0;
    while at < text.len() {
        if text.as_bytes()[at] == b' ' {
            return false;
        }
        at += 1;
    }
    !text.is_empty()
}

const fn is_name(name: &str) -> bool {
    let mut at = 0;
    while at < name.len() {
        if !matches!(name.as_bytes()[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        at += 1;
    }
    !name.is_empty()
}
