//! Payloads of callers are stored unchanged: long or deep ones, all characters, numbers of any size.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::support::{expect, id, team, value};
use crate::context::Context;

/// Tests whose result depends on the JSON parser and the numbers of Postgres.
pub const ALL: &[(&str, Suite)] =
    suite![deeply_nested_json_is_stored_unchanged, numbers_of_any_size_are_stored_unchanged,];

/// Tests of what the functions of the extension take and return.
pub const AT_HOME: &[(&str, Suite)] = suite![
    ten_megabyte_result_is_stored_unchanged,
    long_error_is_stored_unchanged,
    deepest_stored_context_can_be_claimed,
    every_valid_character_is_stored_unchanged,
];

fn running(client: &mut Client, label: &str) -> Result<String> {
    client.batch_execute(&format!("SELECT task('{label}', status => 'running')"))?;
    Ok(id(label))
}

fn ten_megabyte_result_is_stored_unchanged(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let task = running(&mut client, "e1")?;
    client.batch_execute(
        "CREATE TABLE given AS SELECT jsonb_build_object('output', string_agg(md5(g::text), '')) AS result
         FROM generate_series(1, 330000) AS g",
    )?;
    expect(&mut client, "SELECT length(result::text) > 10 * 1024 * 1024 FROM given", "t")?;
    let complete = format!(
        "SELECT c.applied, c.result = g.result, md5(c.result::text) = md5(g.result::text)
         FROM given AS g, multica_complete({task}, g.result) AS c"
    );
    expect(&mut client, &complete, "t t t")?;
    expect(&mut client, &format!("SELECT t.result = g.result FROM given AS g, multica_get_task({task}) AS t"), "t")?;
    client.batch_execute(&format!("SELECT FROM given AS g, multica_enqueue({}, g.result)", id("c1")))?;
    let claim = format!("SELECT c.context = g.result FROM given AS g, multica_claim({}) AS c", id("b1"));
    expect(&mut client, &claim, "t")
}

fn long_error_is_stored_unchanged(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let task = running(&mut client, "e1")?;
    let error: String = "a\u{e9}\u{20ac}\u{1f600}".chars().cycle().take(100_000).collect();
    let stored: String = client.query_one(&format!("SELECT error FROM multica_fail({task}, $1)"), &[&error])?.get(0);
    ensure!(stored == error, "the error is returned with {} characters", stored.chars().count());
    let in_event: String =
        client.query_one("SELECT payload ->> 'error' FROM multica_event_log WHERE type = 'task:failed'", &[])?.get(0);
    let first: String = error.chars().take(1000).collect();
    ensure!(in_event == first, "the event does not have the first thousand characters");
    Ok(())
}

fn deeply_nested_json_is_stored_unchanged(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let task = running(&mut client, "e1")?;
    let deep = "(repeat('[{\"a\":', 1500) || '1' || repeat('}]', 1500))::jsonb";
    expect(&mut client, &format!("SELECT result = {deep} FROM multica_complete({task}, {deep})"), "t")?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue({}, jsonb_build_object('deep', {deep}))", id("c1")))?;
    expect(&mut client, &format!("SELECT context -> 'deep' = {deep} FROM multica_claim({})", id("b1")), "t")?;
    expect(
        &mut client,
        &format!("SELECT payload -> 'deep' = {deep} FROM multica_event_log WHERE type = 'task:dispatch'"),
        "t",
    )
}

/// The deepest context that a session can enqueue. If a claim needed more stack for it, the task would block every
/// other task of its runtime for ever.
fn deepest_stored_context_can_be_claimed(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let enqueue = |depth: usize| {
        format!(
            "SELECT FROM multica_enqueue({}, (repeat('{{\"a\":', {depth}) || '1' || repeat('}}', {depth}))::jsonb)",
            id("c1")
        )
    };
    client.batch_execute("SELECT task('e1', 'b1', 'c2')")?;
    let (mut fits, mut too_deep) = (1000, 100_000);
    while too_deep - fits > 1 {
        let depth = (fits + too_deep) / 2;
        let rolled_back = format!("BEGIN; {}; ROLLBACK", enqueue(depth));
        match client.batch_execute(&rolled_back) {
            Ok(()) => fits = depth,
            Err(_) => {
                client.batch_execute("ROLLBACK")?;
                too_deep = depth;
            }
        }
    }
    client.batch_execute(&enqueue(fits))?;
    expect(&mut client, &format!("SELECT count(*) FROM multica_claim({}, 2)", id("b1")), "2")
}

fn every_valid_character_is_stored_unchanged(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    // All characters that a text can contain, which are all except NUL and the surrogates.
    let all: String = (1..=0x0010_ffff).filter_map(char::from_u32).collect();
    let result = serde_json::json!({ "output": all });
    let (one, other) = (running(&mut client, "e1")?, running(&mut client, "e2")?);
    let pinned: bool = client.query_one(&format!("SELECT multica_pin_session({one}, $1, $1)"), &[&all])?.get(0);
    ensure!(pinned, "the session is not pinned");
    let row = client
        .query_one(&format!("SELECT result, session_id, work_dir FROM multica_complete({one}, $1)"), &[&result])?;
    ensure!(row.get::<_, serde_json::Value>(0) == result, "the result differs");
    ensure!(row.get::<_, String>(1) == all && row.get::<_, String>(2) == all, "session or directory differ");
    let sql = format!("SELECT error, failure_reason, session_id FROM multica_fail({other}, $1, $1, $1)");
    let row = client.query_one(&sql, &[&all])?;
    for column in 0..3 {
        ensure!(row.get::<_, String>(column) == all, "column {column} differs");
    }
    Ok(())
}

fn numbers_of_any_size_are_stored_unchanged(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let task = running(&mut client, "e1")?;
    let numbers = "[123456789012345678901234567890, 1e400, -1e-400, 0.1000, 1.0, 18446744073709551616, 1e131071]";
    let given = value(&mut client, &format!("SELECT '{numbers}'::jsonb::text"))?;
    expect(&mut client, &format!("SELECT result FROM multica_complete({task}, '{numbers}')"), &given)?;
    client.batch_execute(&format!("SELECT FROM multica_enqueue({}, '{{\"n\": {numbers}}}')", id("c1")))?;
    expect(&mut client, &format!("SELECT context -> 'n' FROM multica_claim({})", id("b1")), &given)?;
    expect(&mut client, "SELECT payload -> 'n' FROM multica_event_log WHERE type = 'task:dispatch'", &given)?;
    // A retry has the same context.
    client.batch_execute(
        "UPDATE agent_runtime SET last_seen_at = now() - interval '1 hour'; SELECT FROM multica_sweep()",
    )?;
    expect(&mut client, &format!("SELECT context -> 'n' FROM multica_claim({})", id("b1")), &given)
}
