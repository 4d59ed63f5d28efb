//! The text of a statement that is passed to Postgres. Comments are removed, because errors show the text to the user.

use super::marks::{self, Line};

/// Returns the file if its marks are valid. A file with an error in its marks does not compile.
pub const fn checked(file: &'static str) -> &'static str {
    match marks::fault(file) {
        None => file,
        Some(fault) => panic!("{}", fault),
    }
}

/// Returns the features that the marks of a file name.
pub fn names(file: &'static str) -> Vec<&'static str> {
    let marks = file.lines().map(marks::line);
    marks
        .filter_map(|line| match line {
            Line::Feature(name) | Line::Without(name) => Some(name),
            _ => None,
        })
        .collect()
}

/// Returns the statement of a file, without comments and empty lines. `is_present` returns whether the database has a
/// feature.
pub fn render<'a>(file: &'a str, is_present: impl Fn(&str) -> bool) -> String {
    let mut text = String::with_capacity(file.len());
    // For each part around the line, the outermost first: whether the statement contains it.
    let mut parts: Vec<bool> = Vec::new();
    let mut quote = None;
    let mut add = |line: &'a str, belongs: bool| {
        if belongs {
            let code = without_comment(line, &mut quote).trim_end();
            if !code.is_empty() {
                text.push_str(code);
                text.push('\n');
            }
        }
    };
    for line in file.lines() {
        match marks::line(line) {
            Line::Feature(name) => parts.push(is_present(name)),
            Line::Without(name) => parts.push(!is_present(name)),
            Line::End(_) => drop(parts.pop()),
            Line::Hidden(code) | Line::Text(code) => add(code, parts.iter().all(|belongs| *belongs)),
            Line::Comment => {}
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Returns a line without its comment. `quote` is the quote that is open before the line, and is set to the quote that
/// is open after it. Statements contain no dollar-quoted texts, and no quotes that a backslash escapes.
fn without_comment<'a>(line: &'a str, quote: &mut Option<char>) -> &'a str {
    for (at, next) in line.char_indices() {
        match quote {
            Some(open) if next == *open => *quote = None,
            Some(_) => {}
            None if line[at..].starts_with("--") => return &line[..at],
            None if matches!(next, '\'' | '"') => *quote = Some(next),
            None => {}
        }
    }
    line
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::super::marks::fault;
    use super::{names, render};

    const FILE: &str = "-- What it is for.
SELECT
    -- feature one
    a, -- the first
    -- feature two
    b,
    -- end two
    -- end one
    -- without one
    --| 'x -- y' AS a,
    -- without two
    --| c,
    -- end two
    -- end one
    '--' || \"--\" AS d -- noqa

FROM t
";

    fn with(present: &[&str]) -> String {
        render(FILE, |name| present.contains(&name))
    }

    #[pg_test]
    fn part_belongs_to_statement_where_its_feature_is_present() {
        let end = "    '--' || \"--\" AS d\nFROM t";
        assert_eq!(fault(FILE), None);
        assert_eq!(names(FILE), ["one", "two", "one", "two"]);
        assert_eq!(with(&["one", "two"]), format!("SELECT\n    a,\n    b,\n{end}"));
        assert_eq!(with(&["one"]), format!("SELECT\n    a,\n{end}"));
        assert_eq!(with(&["two"]), format!("SELECT\n 'x -- y' AS a,\n{end}"));
        assert_eq!(with(&[]), format!("SELECT\n 'x -- y' AS a,\n c,\n{end}"));
    }

    #[pg_test]
    fn text_without_marks_loses_comments_only() {
        assert_eq!(render("-- head\nSELECT 1,\n  -- why\n  'it''s -- it'\n", |_| false), "SELECT 1,\n  'it''s -- it'");
    }

    #[pg_test]
    fn wrong_marks_are_found() {
        for (file, wrong) in [
            ("-- feature one\na\n", "a part has no end"),
            ("-- end one\n", "an end has no beginning"),
            ("-- feature one\n-- feature two\n-- end one\n-- end two\n", "an end is that of another part"),
            ("-- feature One\n-- end One\n", "a name is no lower-case word"),
            ("--| a\n", "a line with --| is in no part without a feature"),
            ("-- feature one\n--| a\n-- end one\n", "a line with --| is in no part without a feature"),
            ("-- without one\na\n-- end one\n", "a line of a part without a feature lacks --|"),
            (
                "-- without one\n-- feature two\na\n-- end two\n-- end one\n",
                "a line of a part without a feature lacks --|",
            ),
        ] {
            assert_eq!(fault(file), Some(wrong), "{file}");
        }
        assert_eq!(fault("-- feature of the server\n-- without an index\n-- end of it\nSELECT 1\n"), None);
        assert_eq!(fault(&"-- feature one\n".repeat(9)), Some("parts are nested too deeply"));
    }
}
