//! Limits of tasks in flight, of a runtime, a provider or a workspace.

use anyhow::{Result, ensure};
use postgres::Client;

use super::Suite;
use super::cases::on_generations;
use super::server_consequences::insert_work;
use super::support::{expect, expect_state, id, team, value};
use crate::context::Context;

/// The tests of this topic.
pub const AT_HOME: &[(&str, Suite)] = suite![
    each_scope_limits_its_tasks_in_flight,
    smallest_limit_decides,
    limit_leaves_other_work_alone,
    redelivery_needs_no_room,
    changed_and_removed_limit_is_obeyed,
    limit_of_nothing_is_refused,
    claim_of_several_runtimes_stays_below_a_common_limit,
    limit_holds_on_every_generation,
    claims_work_without_the_table,
    claim_without_limits_runs_no_statement_about_them,
    limit_follows_a_merged_runtime,
];

/// Returns the labels of the tasks that a claim returns.
fn claimed(client: &mut Client, runtime: &str, most: i32) -> Result<String> {
    let sql = format!("SELECT string_agg(right(id::text, 2), ' ') FROM multica_claim({}, {most})", id(runtime));
    value(client, &sql)
}

fn expect_claim(client: &mut Client, runtime: &str, expected: &str) -> Result<()> {
    let found = claimed(client, runtime, 10)?;
    ensure!(found == expected, "the claim of {runtime} returns {found:?}, not {expected:?}");
    Ok(())
}

/// The runtimes b1 and b2 are in one workspace, b1, b2 and b9 are of one provider.
fn each_scope_limits_its_tasks_in_flight(context: &Context) -> Result<()> {
    for (scope, key, others) in [
        ("runtime", id("b1"), ["e4", "e5"]),
        ("workspace", id("a1"), ["", "e5"]),
        ("provider", "'Claude'".into(), ["", ""]),
    ] {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT task('e1'), task('e2'), task('e3', 'b1', 'c2'), task('e4', 'b2', 'c2'), task('e5', 'b9', 'c9'),
                 task('e0', status => 'waiting_local_directory'), task('ea', status => 'deferred');
             UPDATE agent_task_queue SET created_at = '2026-01-01', priority = get_byte(decode(right(id::text, 2), 'hex'), 0) * -1;
             SELECT multica_limit('{scope}', {key}, 3)"
        ))?;
        expect_claim(&mut client, "b1", "e1 e2")?;
        expect_claim(&mut client, "b1", "")?;
        expect_claim(&mut client, "b2", others[0])?;
        expect_claim(&mut client, "b9", others[1])?;
        client.batch_execute(&format!("SELECT FROM multica_cancel({})", id("e2")))?;
        expect_claim(&mut client, "b1", "e3")?;
    }
    Ok(())
}

fn smallest_limit_decides(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2'), task('e3');
         SELECT multica_limit('runtime', {}, 3), multica_limit('workspace', {}, 1), multica_limit('provider', 'claude', 2)",
        id("b1"),
        id("a1")
    ))?;
    expect_claim(&mut client, "b1", "e1")?;
    expect_claim(&mut client, "b1", "")?;
    client.batch_execute(&format!("SELECT multica_limit('workspace', {})", id("a1")))?;
    expect_claim(&mut client, "b1", "e2")?;
    expect_claim(&mut client, "b1", "")
}

fn limit_leaves_other_work_alone(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2', 'b2'), task('e3', status => 'running');
         SELECT multica_limit('runtime', {}, 0), multica_limit('provider', 'codex', 0), multica_limit('workspace', {}, 0)",
        id("b1"),
        id("a2")
    ))?;
    expect_claim(&mut client, "b1", "")?;
    expect_claim(&mut client, "b2", "e2")?;
    expect(&mut client, &format!("SELECT applied FROM multica_complete({})", id("e3")), "t")?;
    expect_claim(&mut client, "b1", "")
}

fn redelivery_needs_no_room(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'dispatched'), task('e2');
         UPDATE agent_task_queue SET dispatched_at = now() - interval '95 seconds' WHERE status = 'dispatched';
         SELECT multica_limit('runtime', {}, 1)",
        id("b1")
    ))?;
    expect_claim(&mut client, "b1", "e1")
}

fn changed_and_removed_limit_is_obeyed(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let limit = |most: &str| format!("SELECT multica_limit('workspace', upper({}), {most})", id("a1"));
    client.batch_execute("SELECT task('e1'), task('e2'), task('e3')")?;
    for (most, changed, claimed) in [
        ("0", "t", ""),
        ("0", "f", ""),
        ("1", "t", "e1"),
        ("2", "t", "e2"),
        ("1", "t", ""),
        ("NULL", "t", "e3"),
        ("NULL", "f", ""),
    ] {
        expect(&mut client, &limit(most), changed)?;
        expect_claim(&mut client, "b1", claimed)?;
    }
    expect(&mut client, "SELECT count(*) FROM multica_claim_limit", "0")
}

fn limit_of_nothing_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    for (arguments, state) in [
        ("NULL, 'x', 1", "22004"),
        ("'provider', NULL, 1", "22004"),
        ("'agent', 'x', 1", "22023"),
        ("'provider', ' ', 1", "22023"),
        ("'runtime', 'b1', 1", "22023"),
        ("'provider', 'claude', -1", "22023"),
        ("'runtime', '00000000-0000-4000-8000-0000000000a1', 1", "P0002"),
        ("'workspace', '00000000-0000-4000-8000-0000000000b1', 1", "P0002"),
    ] {
        expect_state(&mut client, &format!("SELECT multica_limit({arguments})"), state)?;
    }
    // The limit of a runtime that was deleted can be removed.
    client.batch_execute(&format!(
        "SELECT multica_limit('runtime', {0}, 1); DELETE FROM agent_runtime WHERE id = {0}",
        id("b2")
    ))?;
    expect(&mut client, &format!("SELECT multica_limit('runtime', {})", id("b2")), "t")
}

fn claim_of_several_runtimes_stays_below_a_common_limit(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1'), task('e2', 'b2', 'c2'), task('e3', 'b9', 'c9'), task('e4', 'b9', 'c9');
         UPDATE agent_task_queue SET priority = 5 WHERE right(id::text, 2) IN ('e1', 'e2');
         SELECT multica_limit('workspace', {}, 1)",
        id("a1")
    ))?;
    let claim = format!(
        "SELECT string_agg(right(id::text, 2), ' ') FROM multica_claim_many(ARRAY[{}, {}, {}]::uuid[], 2)",
        id("b1"),
        id("b2"),
        id("b9")
    );
    // The second best task is above the limit, so the third best one takes its place.
    expect(&mut client, &claim, "e1 e3")?;
    expect(&mut client, &claim, "e4")?;
    expect(&mut client, &claim, "")
}

fn limit_holds_on_every_generation(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        insert_work(context, client)?;
        client.batch_execute(
            "INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id)
             SELECT md5('agent x')::uuid, md5('runtime x')::uuid, i.id FROM issue AS i
             WHERE i.workspace_id = md5('workspace 1')::uuid AND i.id <> md5('issue x')::uuid LIMIT 3;
             SELECT multica_limit('runtime', md5('runtime x')::uuid::text, 3)",
        )?;
        let claim = "SELECT count(*) FROM multica_claim(md5('runtime x')::uuid, 9)";
        // Two tasks are running.
        expect(client, claim, "1")?;
        expect(client, claim, "0")?;
        client.batch_execute("SELECT multica_limit('runtime', md5('runtime x')::uuid::text, 4)")?;
        expect(client, claim, "1")
    })
}

fn claims_work_without_the_table(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("SELECT task('e1'), task('e2')")?;
    let claim = |client: &mut Client| claimed(client, "b1", 1);
    client.batch_execute(&format!("SELECT multica_limit('runtime', {}, 0)", id("b1")))?;
    ensure!(claim(&mut client)?.is_empty(), "the limit is ignored");
    client.batch_execute("DROP TABLE multica_claim_limit")?;
    ensure!(claim(&mut client)? == "e1", "the limit holds without its table");
    expect_state(&mut client, &format!("SELECT multica_limit('runtime', {}, 0)", id("b1")), "55000")?;
    client.batch_execute("SELECT FROM multica_install()")?;
    ensure!(claim(&mut client)? == "e2", "the new table has a limit");
    Ok(())
}

/// A claim asks only whether the table has ever had a row.
fn claim_without_limits_runs_no_statement_about_them(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let scans = "SELECT pg_stat_get_xact_numscans('multica_claim_limit'::regclass)
        + COALESCE(sum(pg_stat_get_xact_numscans(indexrelid)), 0) FROM pg_index WHERE indrelid = 'multica_claim_limit'::regclass";
    let scans_of_claim = |client: &mut Client| -> Result<String> {
        client.batch_execute(&format!("BEGIN; SELECT task('e1'); SELECT FROM multica_claim({})", id("b1")))?;
        let found = value(client, scans)?;
        client.batch_execute("ROLLBACK")?;
        Ok(found)
    };
    ensure!(scans_of_claim(&mut client)? == "0", "an empty table is read");
    client.batch_execute("SELECT multica_limit('provider', 'codex', 1)")?;
    ensure!(scans_of_claim(&mut client)? != "0", "a limit is not read");
    Ok(())
}

/// The runtime of a renamed machine keeps its limit, unless it has one already.
fn limit_follows_a_merged_runtime(context: &Context) -> Result<()> {
    for (of_new, expected) in [("NULL", "1"), ("5", "5")] {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&format!(
            "SELECT multica_limit('runtime', {0}, 1), multica_limit('runtime', {1}, {of_new});
             SELECT FROM multica_merge_legacy({2}, 'claude', 'machine-1', {1})",
            id("b1"),
            id("b2"),
            id("a1")
        ))?;
        let limit =
            format!("SELECT max_in_flight FROM multica_claim_limit WHERE scope = 'runtime' AND key = {}", id("b2"));
        expect(&mut client, &limit, expected)?;
    }
    Ok(())
}
