//! The comments in the catalogue, which \df+ and \dT+ show, are complete, and true where a call can prove it.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![every_argument_and_error_is_documented, errors_for_null_are_documented];

/// All SQLSTATEs that functions raise; a comment with another code is wrong, or this list is incomplete.
const SQLSTATES: [&str; 12] =
    ["22004", "22023", "P0002", "55000", "55006", "0A000", "42501", "23503", "2D000", "55P03", "40001", "40P01"];

/// A member of the extension as \df+ or \dT+ shows it.
pub struct Member {
    /// Its name, without a schema.
    pub name: String,
    /// The names of its arguments.
    pub arguments: Vec<String>,
    /// Their types.
    pub types: Vec<String>,
    /// Whether it is a function or procedure, and not a type.
    pub is_routine: bool,
    /// Its comment.
    pub comment: String,
    begin: String,
}

impl Member {
    /// A call with these arguments.
    pub fn call(&self, arguments: &[String]) -> String {
        format!("{} {}({})", self.begin, self.name, arguments.join(", "))
    }
}

/// All members of the extension with a name in SQL. From version 17 on the array types of its types are members too;
/// they have no comment and are left out.
pub fn members(client: &mut Client) -> Result<Vec<Member>> {
    let rows = client.query(
        "SELECT COALESCE(p.proname, t.typname)::text,
                COALESCE((SELECT array_agg(a.name ORDER BY a.at)
                          FROM unnest(p.proargnames) WITH ORDINALITY AS a (name, at)
                          WHERE a.at <= p.pronargs), '{}'),
                p.oid IS NOT NULL,
                COALESCE(obj_description(d.objid, d.classid::regclass::name), ''),
                CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT * FROM' END,
                ARRAY(SELECT format_type(a.type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, at)
                      ORDER BY a.at)
         FROM pg_depend AS d
         JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
         LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
         LEFT JOIN pg_type AS t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typcategory <> 'A'
         WHERE e.extname = 'multica' AND (p.oid IS NOT NULL OR t.oid IS NOT NULL)
         ORDER BY 1",
        &[],
    )?;
    let member = |row: &postgres::Row| Member {
        name: row.get(0),
        arguments: row.get(1),
        is_routine: row.get(2),
        comment: row.get(3),
        begin: row.get(4),
        types: row.get(5),
    };
    Ok(rows.iter().map(member).collect())
}

fn every_argument_and_error_is_documented(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let members = members(&mut database.connect()?)?;
    ensure!(members.iter().filter(|member| member.is_routine).count() > 25, "the extension has too few functions");
    let wrong: Vec<String> = members
        .iter()
        .flat_map(|member| {
            let name = &member.name;
            problems(member).into_iter().map(move |problem| format!("{name}: {problem}"))
        })
        .collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A call with NULL for every argument raises 22004 exactly if its comment names 22004, and raises no code that its
/// comment does not name.
fn errors_for_null_are_documented(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    let mut wrong = Vec::new();
    for member in members(&mut client)?.iter().filter(|it| it.is_routine) {
        let nulls: Vec<String> = member.types.iter().map(|it| format!("NULL::{it}")).collect();
        let call = member.call(&nulls);
        let raised = match client.batch_execute(&call) {
            Ok(()) => None,
            Err(error) => Some(error.code().map_or("", |code| code.code()).to_string()),
        };
        let documented = codes(&member.comment);
        let matches = match &raised {
            Some(code) => documented.contains(code),
            None => !documented.iter().any(|code| code == "22004"),
        };
        if !matches {
            wrong.push(format!("{call} raises {raised:?}, its comment names {documented:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn problems(member: &Member) -> Vec<String> {
    if member.comment.is_empty() {
        return vec!["has no comment".into()];
    }
    if !member.is_routine {
        return Vec::new();
    }
    let begins = |word: &str| member.comment.lines().any(|line| line.starts_with(word));
    let mut problems: Vec<String> = member
        .arguments
        .iter()
        .filter(|argument| !begins(&format!("{argument}: ")))
        .map(|argument| format!("its comment has no line on {argument}"))
        .collect();
    for part in ["Returns ", "Errors: "] {
        if !begins(part) {
            problems.push(format!("its comment has no line that begins with {part:?}"));
        }
    }
    let codes = codes(&member.comment);
    if codes.is_empty() && !begins("Errors: none.") {
        problems.push("its comment names no SQLSTATE".into());
    }
    let unknown = codes.iter().filter(|code| !SQLSTATES.contains(&code.as_str()));
    problems.extend(unknown.map(|code| format!("its comment names {code}, which no function raises")));
    problems
}

/// The words after "Errors: " that look like a SQLSTATE.
pub fn codes(comment: &str) -> Vec<String> {
    let errors = comment.split("Errors: ").nth(1).unwrap_or_default();
    let words = errors.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 5 && word.bytes().any(|byte| byte.is_ascii_digit())).map(str::to_string).collect()
}
