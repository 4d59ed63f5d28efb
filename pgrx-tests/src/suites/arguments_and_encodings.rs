//! Mistakes in arguments, and text that clients must be able to read: names too long for an index, ids of another kind
//! of row, characters that an encoding lacks.

use anyhow::{Context as _, Result, ensure};

use super::Suite;
use super::comments::members;
use super::support::{expect, id, team};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    error_names_argument_with_too_long_name,
    longest_valid_name_fits_index,
    comments_state_maximum_length,
    error_detail_names_kind_of_wrong_id,
    added_text_is_readable_in_every_client_encoding,
    sent_text_is_ascii,
];

/// Returns a text of this many bytes that compresses badly.
fn letters(bytes: usize) -> String {
    format!("(SELECT left(string_agg(md5(g::text), ''), {bytes}) FROM generate_series(1, 100) AS g)")
}

/// Calls that write this text into a key of an index, each with the name of the argument that contains the text.
fn calls(text: &str) -> Vec<(String, &'static str)> {
    let workspace = id("a1");
    let upsert = |daemon: &str, provider: &str| {
        format!("SELECT multica_upsert_runtime({workspace}, {daemon}, 'n', 'local', {provider}, 'online')")
    };
    let register = |daemon: &str, kind: &str| {
        format!(
            "SELECT multica_register({workspace}, jsonb_build_object('daemon_id', {daemon},
                 'runtimes', jsonb_build_array(jsonb_build_object('type', {kind}))))"
        )
    };
    vec![
        (format!("SELECT multica_take_events({text})"), "reader"),
        (upsert(text, "'p'"), "daemon_id"),
        (upsert("'d'", text), "provider"),
        (register(text, "'p'"), "registration.daemon_id"),
        (register("'d'", text), "registration.runtimes[0].type"),
    ]
}

fn error_names_argument_with_too_long_name(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    for (call, argument) in calls(&letters(1001)) {
        let error = client.batch_execute(&call).err().context(call.clone())?;
        let error = error.as_db_error().context("an error of the server")?;
        let expected = format!("argument \"{argument}\": must have at most 1000 bytes, but has 1001");
        ensure!(error.code().code() == "22023" && error.message() == expected, "{call}\nraises {error:?}");
    }
    // An argument that is only compared may have any length.
    client.batch_execute(&format!(
        "SELECT multica_forget_reader({0}), multica_record_legacy_daemon_id({1}, {0})",
        letters(3000),
        id("b1")
    ))?;
    Ok(())
}

fn longest_valid_name_fits_index(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let longest = letters(1000);
    for (call, _) in calls(&longest) {
        client.batch_execute(&call).with_context(|| call.clone())?;
    }
    let workspace = id("a1");
    client.batch_execute(&format!(
        "SELECT multica_upsert_runtime({workspace}, {longest}, 'n', 'local', {longest}, 'online')"
    ))?;
    Ok(())
}

/// A function's comment states the maximum length for each argument that has one.
fn comments_state_maximum_length(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let limited = calls("''");
    for member in members(&mut client)?.iter().filter(|it| it.is_routine) {
        let begins = format!("SELECT {}(", member.name);
        let expected = limited.iter().filter(|(call, _)| call.starts_with(&begins)).count();
        let found = member.comment.matches("at most 1000 bytes").count();
        ensure!(found == expected, "{}: its comment names {found} limits, not {expected}", member.name);
    }
    Ok(())
}

/// An agent's id where a runtime's is expected, and the reverse.
fn error_detail_names_kind_of_wrong_id(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let (agent, runtime) = (id("c1"), id("b1"));
    for (call, detail) in [
        (format!("SELECT multica_heartbeat({agent})"), "This is the id of an agent."),
        (format!("SELECT multica_claim({agent})"), "This is the id of an agent."),
        (format!("SELECT multica_delete_runtime({agent})"), "This is the id of an agent."),
        (format!("SELECT multica_reassign_agents({agent}, {runtime})"), "This is the id of an agent."),
        (format!("SELECT multica_reassign_agents({runtime}, {agent})"), "This is the id of an agent."),
        (format!("SELECT multica_enqueue({runtime}, '{{}}')"), "This is the id of a runtime."),
        (format!("SELECT multica_count_running_tasks({runtime})"), "This is the id of a runtime."),
        (format!("SELECT multica_cancel_agent_tasks({runtime})"), "This is the id of a runtime."),
        (format!("SELECT multica_reconcile_agent({runtime})"), "This is the id of a runtime."),
    ] {
        let error = client.batch_execute(&call).err().context(call.clone())?;
        let error = error.as_db_error().context("an error of the server")?;
        ensure!(error.code().code() == "P0002" && error.detail() == Some(detail), "{call}\nraises {error:?}");
    }
    Ok(())
}

fn added_text_is_readable_in_every_client_encoding(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    for encoding in ["LATIN2", "SJIS", "WIN1251"] {
        client.batch_execute(&format!("SET client_encoding = '{encoding}'"))?;
        client.batch_execute(&format!(
            r#"SELECT multica_register({}, '{{"daemon_id": "{encoding}", "device_name": "box",
                   "runtimes": [{{"type": "claude", "version": "2"}}]}}')"#,
            id("a1")
        ))?;
        let device = format!("SELECT device_info FROM agent_runtime WHERE daemon_id = '{encoding}'");
        expect(&mut client, &device, "box - 2")?;
        let error = client
            .batch_execute("SELECT multica_grant('postgres', repeat('x', 1000))")
            .err()
            .context("a grant of an unknown capability succeeded")?;
        ensure!(error.code().is_some_and(|code| code.code() == "22023"), "{error:?}");
    }
    Ok(())
}

/// Rows, messages and comments consist of text from these files, outside their own comments.
fn sent_text_is_ascii(context: &Context) -> Result<()> {
    let mut found = Vec::new();
    for (folder, comment) in [("src", "//"), ("sql", "--")] {
        for (file, text) in context.project.sources(folder)? {
            let wrong = |line: &str| !line.is_ascii() && !line.trim_start().starts_with(comment);
            let lines = text.lines().zip(1..).filter(|(line, _)| wrong(line));
            found.extend(lines.map(|(line, at)| format!("{folder}/{file}:{at}: {line}")));
        }
    }
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}
