//! The SQLSTATEs that calls raise are those that the comments in the catalogue name: for every function with each
//! argument invalid in turn, without tables, and without privileges on them. The functions come from the catalogue, so
//! new ones are covered.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::Suite;
use super::comments::{Member, codes, members};
use super::support::{id, team};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    argument_errors_match_comments,
    missing_table_errors_match_comments,
    missing_privilege_errors_match_comments,
];

/// Codes that only invalid arguments raise.
const ARGUMENT_ERRORS: [&str; 5] = ["22004", "22023", "P0002", "23503", "2D000"];

/// Returns a valid value for an argument of this name, in the fixture `team` with a running task.
fn good(argument: &str, kind: &str) -> Result<String> {
    let value = match argument {
        "runtime_id" | "old_runtime_id" | "into_runtime_id" => id("b1"),
        "new_runtime_id" => id("b2"),
        "runtime_ids" => format!("ARRAY[{}]", id("b1")),
        "workspace_id" => id("a1"),
        "agent_id" => id("c1"),
        "issue_id" => id("d1"),
        "chat_session_id" => id("51"),
        "autopilot_run_id" => id("71"),
        "trigger_comment_id" | "comment_id" => id("81"),
        "owner_id" => id("f1"),
        "task_id" => id("e1"),
        "task_ids" | "running_task_ids" => format!("ARRAY[{}]", id("e1")),
        "daemon_id" | "legacy_daemon_id" => "'machine-1'".into(),
        "provider" => "'claude'".into(),
        "name" | "device_info" | "error" | "failure_reason" | "session_id" | "work_dir" | "reader" => "'word'".into(),
        "runtime_mode" => "'local'".into(),
        "status" => "'online'".into(),
        "capability" => "'reader'".into(),
        "part" => "'verdicts'".into(),
        "grantee" => "'postgres'".into(),
        "registration" => r#"'{"daemon_id": "m", "runtimes": [{"type": "claude"}]}'"#.into(),
        "reason" if kind == "text" => "'word'".into(),
        "context" | "metadata" | "provenance" | "result" | "reason" | "extra" | "progress" | "data" => "'{}'".into(),
        // The tables that install makes have no profiles.
        "claim_token" | "escalation_for_task_id" | "expected_agents" | "profile_id" | "issue_status" => "NULL".into(),
        // Tables of an earlier version have no deferred tasks.
        "run_after" => "NULL".into(),
        "incarnation" => id("f9"),
        "scope" => "'runtime'".into(),
        "key" => id("b1"),
        _ => match kind {
            "integer" | "bigint" | "double precision" => "1".into(),
            "boolean" => "true".into(),
            _ => anyhow::bail!("add a valid value for {argument} {kind} here"),
        },
    };
    Ok(format!("{value}::{kind}"))
}

/// Returns values that can be invalid for an argument of this type.
fn bad(kind: &str) -> Vec<String> {
    let nothing = id("00");
    let values: &[&str] = match kind {
        "uuid" => &["NULL", &nothing],
        "uuid[]" => &["NULL", "'{NULL}'", "'{}'"],
        "text" => &["NULL", "''", "'nonsense'", &nothing],
        "jsonb" => &["NULL", "'[]'", "'{}'", "'1'"],
        "bytea" => &["NULL", "'[]'", "'{}'", "''"],
        "integer" | "bigint" => &["NULL", "-1", "0"],
        "double precision" => &["NULL", "-1", "0", "'NaN'", "'Infinity'"],
        "regrole" => &["NULL", "'4711'"],
        "timestamp with time zone" => &["NULL", "'infinity'"],
        _ => &["NULL"],
    };
    values.iter().map(|value| format!("{value}::{kind}")).collect()
}

/// Returns valid arguments with one argument made invalid, and with all arguments of one type made invalid.
pub fn spoilt(good: &[String], types: &[String]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (at, kind) in types.iter().enumerate() {
        for value in bad(kind) {
            let mut one = good.to_vec();
            one[at].clone_from(&value);
            all.push(one);
            let each = good.iter().zip(types);
            all.push(each.map(|(good, of)| if of == kind { &value } else { good }.clone()).collect());
        }
    }
    all
}

/// Returns the SQLSTATE that a call raises, and rolls its changes back.
fn raised(client: &mut Client, call: &str) -> Result<Option<String>> {
    client.batch_execute("BEGIN")?;
    let code = match client.batch_execute(call) {
        Ok(()) => None,
        Err(error) => Some(error.code().with_context(|| format!("{call}: {error}"))?.code().to_string()),
    };
    client.batch_execute("ROLLBACK")?;
    Ok(code)
}

/// Returns valid arguments for a call.
pub fn good_arguments(member: &Member) -> Result<Vec<String>> {
    let arguments = member.arguments.iter().zip(&member.types);
    let value = |(name, kind): (&String, &String)| match (member.name.as_str(), name.as_str()) {
        // The only call that requires it.
        ("multica_resume", "claim_token") => Ok("0::bigint".into()),
        _ => good(name, kind),
    };
    arguments.map(value).collect::<Result<_>>().with_context(|| member.name.clone())
}

/// Returns the routines of the extension.
pub fn routines(client: &mut Client) -> Result<Vec<Member>> {
    let mut members = members(client)?;
    members.retain(|member| member.is_routine);
    Ok(members)
}

/// Fails unless each raised code is in the comment, and each code about arguments in the comment is raised.
fn argument_errors_match_comments(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1', status => 'running')")?;
    let mut wrong = Vec::new();
    for member in routines(&mut client)? {
        let good = good_arguments(&member)?;
        let mut seen = BTreeSet::from_iter(raised(&mut client, &member.call(&good))?);
        for arguments in spoilt(&good, &member.types) {
            seen.extend(raised(&mut client, &member.call(&arguments))?);
        }
        let documented = BTreeSet::from_iter(codes(&member.comment));
        for code in seen.difference(&documented) {
            wrong.push(format!("{} raises {code}, which its comment does not name", member.name));
        }
        for code in documented.difference(&seen) {
            if ARGUMENT_ERRORS.contains(&code.as_str()) {
                wrong.push(format!("{} names {code} in its comment, which no argument raises", member.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Makes valid calls in a database that lacks something, or as a role that does. A call raises this code exactly if
/// `names_it` is true.
fn expect_documented(client: &mut Client, code: &str, names_it: impl Fn(&Member) -> bool) -> Result<()> {
    let mut wrong = Vec::new();
    for member in routines(client)? {
        let call = member.call(&good_arguments(&member)?);
        let found = raised(client, &call)?;
        if names_it(&member) != (found.as_deref() == Some(code)) {
            wrong.push(format!("{call} raises {found:?}"));
        }
    }
    ensure!(wrong.is_empty(), "calls that do not match their comments about {code}:\n{}", wrong.join("\n"));
    Ok(())
}

fn missing_table_errors_match_comments(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica")?;
    expect_documented(&mut client, "55000", |member| {
        let words: Vec<&str> = member.comment.split_whitespace().collect();
        words.join(" ").contains("the tables are missing")
    })
}

/// With row-level security, calls run with the privileges of their caller.
fn missing_privilege_errors_match_comments(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    database.fixture("row_security/policies")?;
    let role = format!("{}_nobody", database.name);
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'running');
         CREATE ROLE {role};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA public TO {role};
         SET ROLE {role}"
    ))?;
    expect_documented(&mut client, "42501", |member| codes(&member.comment).iter().any(|code| code == "42501"))?;
    client.batch_execute(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"))?;
    Ok(())
}
