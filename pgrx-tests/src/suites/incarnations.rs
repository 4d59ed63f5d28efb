//! One process per runtime: the calls of a daemon process that another one has replaced are refused, and a recovery
//! fails only what another process has claimed.

mod alternate;
mod merged;
mod remembered;

use anyhow::{Context as _, Result, bail, ensure};
use postgres::Client;

use super::Suite;
use super::cases::on_generations;
use super::support::{expect, id, start, team, value, values};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    replaced_process_is_refused,
    replaced_process_is_refused_where_heartbeats_are_not_written,
    replaced_process_does_not_revive_runtime,
    replaced_process_cannot_register_again,
    recovery_spares_claims_of_same_process,
    recovery_spares_task_redelivered_while_it_waits,
    task_claimed_again_without_incarnation_is_an_orphan,
    restart_in_mid_claim_recovers_the_claim,
    calls_without_incarnation_work_as_before,
    register_event_names_replaced_incarnation,
    calls_without_incarnation_need_no_table,
    sweep_forgets_ended_tasks_and_deleted_runtimes,
    sweep_looks_up_few_of_many_runtimes,
    one_process_in_tables_of_servers,
    merged::process_of_merged_runtime_is_replaced,
    merged::process_that_renames_itself_goes_on,
    merged::merge_of_application_keeps_what_is_recorded,
    merged::merge_waits_for_claim_without_locks,
    alternate::one_of_two_alternating_processes_works,
    remembered::registration_of_another_session_is_noticed,
    remembered::registration_that_was_rolled_back_does_not_count,
    remembered::another_row_at_the_same_place_does_not_count,
    remembered::row_that_policies_hide_is_not_used,
    remembered::heartbeat_that_waits_for_registration_is_refused,
];

/// The incarnations of the first and of the second process.
const FIRST: &str = "00000000-0000-4000-8000-0000000000f8";
const SECOND: &str = "00000000-0000-4000-8000-0000000000f9";

/// A registration of daemon machine-1 of the fixture `team`, whose runtime is b1, with more members of the JSON object.
fn register(incarnation: &str, members: &str) -> String {
    format!(
        "SELECT FROM multica_register({}, '{{\"daemon_id\": \"machine-1\", \"runtimes\": [{{\"type\": \"claude\"}}],
             \"incarnation\": \"{incarnation}\"{members}}}')",
        id("a1")
    )
}

/// The calls of a process with this incarnation.
fn calls_of(incarnation: &str) -> [String; 4] {
    let runtime = id("b1");
    [
        format!("SELECT FROM multica_heartbeat({runtime}, incarnation => '{incarnation}')"),
        format!("SELECT FROM multica_heartbeat({runtime}, '{{}}', '{incarnation}')"),
        format!("SELECT FROM multica_claim({runtime}, 5, '{incarnation}')"),
        format!("SELECT FROM multica_recover_orphans({runtime}, NULL, '{incarnation}')"),
    ]
}

/// Fails unless the call is refused with the word `superseded` and a hint to stop.
fn refused(client: &mut Client, call: &str) -> Result<()> {
    let Err(error) = client.batch_execute(call) else { bail!("{call}\nsucceeds, but should be refused") };
    let error = error.as_db_error().with_context(|| format!("{call}\nfails outside the database: {error:?}"))?;
    ensure!(
        error.code().code() == "55000"
            && error.constraint() == Some("superseded")
            && error.hint().is_some_and(|hint| hint.contains("Stop this process")),
        "{call}\nfails with {error:?}"
    );
    Ok(())
}

/// Two processes have registered one after the other. Every call of the first one is refused and changes nothing.
fn refuses_the_first(client: &mut Client) -> Result<()> {
    client.batch_execute("SELECT task('e1')")?;
    client.batch_execute(&register(FIRST, ""))?;
    for call in calls_of(FIRST) {
        client.batch_execute(&format!("BEGIN; {call}; ROLLBACK"))?;
    }
    client.batch_execute(&register(SECOND, ""))?;
    let state = "SELECT last_seen_at, status FROM agent_runtime WHERE daemon_id = 'machine-1'
                 UNION ALL SELECT dispatched_at, status FROM agent_task_queue";
    let before = value(client, state)?;
    for call in calls_of(FIRST) {
        refused(client, &call)?;
    }
    expect(client, state, &format!("{before}\n queued"))?;
    // A claim is refused also if there is nothing to claim.
    client.batch_execute("DELETE FROM agent_task_queue")?;
    refused(client, &calls_of(FIRST)[2])?;
    for call in calls_of(SECOND) {
        client.batch_execute(&call)?;
    }
    Ok(())
}

fn replaced_process_is_refused(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    refuses_the_first(&mut client)
}

/// With an index on last_seen_at, most heartbeats only read.
fn replaced_process_is_refused_where_heartbeats_are_not_written(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("CREATE INDEX ON agent_runtime (last_seen_at)")?;
    refuses_the_first(&mut client)?;
    let written = "SELECT xmin FROM agent_runtime WHERE daemon_id = 'machine-1'";
    let before = value(&mut client, written)?;
    client.batch_execute(&calls_of(SECOND)[0])?;
    expect(&mut client, written, &before)
}

/// The second process has been told to stop, or its machine is asleep. Neither a heartbeat nor a claim of the first one
/// sets the runtime online.
fn replaced_process_does_not_revive_runtime(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("{}; {}", register(FIRST, ""), register(SECOND, "")))?;
    client.batch_execute(&format!("SELECT multica_set_runtime_offline({})", id("b1")))?;
    for call in calls_of(FIRST) {
        refused(&mut client, &call)?;
    }
    let status = "SELECT status FROM agent_runtime WHERE daemon_id = 'machine-1'";
    expect(&mut client, status, "offline")?;
    client.batch_execute(&calls_of(SECOND)[0])?;
    expect(&mut client, status, "online")
}

/// A process that has not noticed that it was replaced registers again, for example because its configuration has
/// changed. It must not replace the newer process, and its recovery must not fail the newer process's tasks.
fn replaced_process_cannot_register_again(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!("{}; {}", register(FIRST, ""), register(SECOND, "")))?;
    client.batch_execute(&format!("SELECT task('e1'); SELECT FROM multica_claim({}, 1, '{SECOND}')", id("b1")))?;
    refused(&mut client, &register(FIRST, ", \"recover\": true"))?;
    expect(&mut client, "SELECT status FROM agent_task_queue", "dispatched")?;
    for call in calls_of(SECOND) {
        client.batch_execute(&call)?;
    }
    // A later process may register.
    client.batch_execute(&register("00000000-0000-4000-8000-0000000000fa", ""))?;
    refused(&mut client, &register(SECOND, ""))?;
    refused(&mut client, &register(FIRST, ""))
}

/// The recovery of a restarted daemon runs beside its first claims.
fn recovery_spares_claims_of_same_process(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let runtime = id("b1");
    let recover = format!("SELECT orphaned FROM multica_recover_orphans({runtime}, NULL, '{SECOND}')");
    let claims = |incarnation: &str| format!("SELECT FROM multica_claim({runtime}, 1, '{incarnation}')");
    client.batch_execute(&format!("{}; SELECT task('e1'); {}", register(FIRST, ""), claims(FIRST)))?;
    // A task of a process that passes no incarnation.
    client.batch_execute(&format!("SELECT task('e2'); SELECT FROM multica_claim({runtime})"))?;
    client.batch_execute(&format!("{}; SELECT task('e3'); {}", register(SECOND, ""), claims(SECOND)))?;
    let status = "SELECT right(id::text, 2), status FROM agent_task_queue WHERE attempt = 1 ORDER BY 1";
    expect(&mut client, &recover, "2")?;
    expect(&mut client, status, "e1 failed\ne2 failed\ne3 dispatched")?;
    // The same with a registration that is repeated, for example because its answer was lost.
    client.batch_execute(&register(SECOND, ", \"recover\": true"))?;
    expect(&mut client, status, "e1 failed\ne2 failed\ne3 dispatched")?;
    // Without an incarnation, everything that is not listed as running is an orphan.
    expect(&mut client, &recover.replace(&format!("'{SECOND}'"), "NULL"), "1")
}

/// A claim of the new process redelivers a task of the old one while the recovery of the new process waits for the
/// task's agent.
fn recovery_spares_task_redelivered_while_it_waits(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    let runtime = id("b1");
    client.batch_execute(&format!(
        "{}; SELECT task('e1'); SELECT FROM multica_claim({runtime}, 1, '{FIRST}');
         UPDATE agent_task_queue SET dispatched_at = now() - interval '1 hour', prepare_lease_expires_at = now(); {}",
        register(FIRST, ""),
        register(SECOND, "")
    ))?;
    client.batch_execute(&format!("BEGIN; SELECT FROM multica_claim({runtime}, 1, '{SECOND}')"))?;
    let recovery =
        start(&database, &format!("SELECT orphaned FROM multica_recover_orphans({runtime}, NULL, '{SECOND}')"))?;
    recovery.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute("COMMIT")?;
    recovery.finish()?;
    expect(&mut client, "SELECT status FROM agent_task_queue", "dispatched")
}

/// What is stored about a claim says nothing about a later claim of the same task.
fn task_claimed_again_without_incarnation_is_an_orphan(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let runtime = id("b1");
    client.batch_execute(&format!(
        "{}; SELECT task('e1'); SELECT FROM multica_claim({runtime}, 1, '{FIRST}');
         UPDATE agent_task_queue SET dispatched_at = now() - interval '1 hour', prepare_lease_expires_at = now();
         SELECT FROM multica_claim({runtime})",
        register(FIRST, "")
    ))?;
    let recover = format!("SELECT orphaned FROM multica_recover_orphans({runtime}, NULL, '{FIRST}')");
    expect(&mut client, &recover, "1")
}

/// The daemon restarts while the claim of its old process is in progress. The registration of the new process waits for
/// the claim and recovers its tasks, although it found none before. So no task is left with the old process.
fn restart_in_mid_claim_recovers_the_claim(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!("{}; SELECT task('e1')", register(FIRST, "")))?;
    client.batch_execute(&format!("BEGIN; {}", calls_of(FIRST)[2]))?;
    let registration = start(&database, &register(SECOND, ", \"recover\": true"))?;
    registration.wait_until_blocked(&mut database.connect()?)?;
    client.batch_execute("COMMIT")?;
    registration.finish()?;
    expect(
        &mut client,
        "SELECT attempt, status, failure_reason FROM agent_task_queue ORDER BY 1",
        "1 failed runtime_recovery\n2 queued ",
    )?;
    for call in calls_of(FIRST) {
        refused(&mut client, &call)?;
    }
    expect(&mut client, &calls_of(SECOND)[2].replace("SELECT", "SELECT attempt"), "2")
}

/// A daemon of an older version, or a server, works beside a process with an incarnation as if there were none.
fn calls_without_incarnation_work_as_before(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let runtime = id("b1");
    client.batch_execute(&format!("{}; SELECT task('e1'), task('e2')", register(FIRST, "")))?;
    client.batch_execute(&format!("SELECT FROM multica_claim({runtime}, 1, '{FIRST}')"))?;
    let plain = register(FIRST, "").replace("\"incarnation\"", "\"launched_by\"");
    client.batch_execute(&format!(
        "{plain}; SELECT FROM multica_heartbeat({runtime}); SELECT FROM multica_claim({runtime});
         SELECT FROM multica_heartbeat({runtime}, incarnation => '{FIRST}')"
    ))?;
    expect(&mut client, "SELECT status FROM agent_task_queue", "dispatched\ndispatched")?;
    expect(&mut client, &format!("SELECT multica_heartbeat_many(ARRAY[{runtime}]::uuid[])"), "1")?;
    expect(&mut client, &format!("SELECT orphaned FROM multica_recover_orphans({runtime})"), "2")?;
    expect(&mut client, &format!("SELECT incarnation = '{FIRST}', replaced FROM multica_runtime_incarnation"), "t {}")?;
    let keys = "SELECT count(*) FROM multica_event_log WHERE payload ? 'replaced_incarnations'";
    expect(&mut client, keys, "0")
}

fn register_event_names_replaced_incarnation(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let replaced = "SELECT payload -> 'replaced_incarnations' FROM multica_event_log
                    WHERE type = 'daemon:register' ORDER BY id DESC LIMIT 1";
    let stored = "SELECT incarnation, registered_at, replaced FROM multica_runtime_incarnation";
    client.batch_execute(&register(FIRST, ""))?;
    expect(&mut client, replaced, "")?;
    let first = value(&mut client, stored)?;
    client.batch_execute(&register(FIRST, ""))?;
    expect(&mut client, replaced, "")?;
    expect(&mut client, stored, &first)?;
    client.batch_execute(&register(SECOND, ""))?;
    expect(&mut client, replaced, &format!("{{\"{}\": \"{FIRST}\"}}", id("b1").trim_matches('\'')))?;
    expect(&mut client, "SELECT replaced FROM multica_runtime_incarnation", &format!("{{{FIRST}}}"))?;
    // What is kept about former processes is bounded.
    for number in 10..40 {
        client.batch_execute(&register(&format!("00000000-0000-4000-8000-0000000001{number}"), ""))?;
    }
    expect(
        &mut client,
        "SELECT cardinality(replaced), right(incarnation::text, 2), right(replaced[1]::text, 2) FROM multica_runtime_incarnation",
        "20 39 38",
    )?;
    let wrong = register("me", "");
    let error = client.batch_execute(&wrong).err().context("a wrong incarnation is accepted")?;
    let error = error.as_db_error().context("an error of the database")?;
    ensure!(error.code().code() == "22023" && error.message().contains("registration.incarnation"), "{error:?}");
    Ok(())
}

/// An update of the extension does not create the tables; install does.
fn calls_without_incarnation_need_no_table(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute("DROP TABLE multica_runtime_incarnation, multica_task_incarnation; SELECT task('e1')")?;
    let runtime = id("b1");
    let plain = register(FIRST, ", \"recover\": true").replace("\"incarnation\"", "\"launched_by\"");
    client.batch_execute(&format!(
        "{plain}; SELECT FROM multica_heartbeat({runtime}); SELECT FROM multica_claim({runtime});
         SELECT FROM multica_recover_orphans({runtime}); SELECT FROM multica_sweep()"
    ))?;
    client.batch_execute("CALL multica_sweep_all()")?;
    for call in calls_of(FIRST).into_iter().chain([register(FIRST, "")]) {
        let error = client.batch_execute(&call).err().with_context(|| format!("{call} succeeds"))?;
        let error = error.as_db_error().context("an error of the database")?;
        ensure!(
            error.constraint() == Some("install_needed")
                && error.hint().is_some_and(|hint| hint.contains("multica_install()")),
            "{call}: {error:?}"
        );
    }
    client.batch_execute(&format!("SELECT FROM multica_install(); {}", register(FIRST, "")))?;
    for call in calls_of(FIRST) {
        client.batch_execute(&call)?;
    }
    Ok(())
}

/// What is stored about processes does not grow with the history. At most a batch is deleted at once, and a row that
/// another session holds is left.
fn sweep_forgets_ended_tasks_and_deleted_runtimes(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "SELECT task('e1', status => 'completed'), task('e2', status => 'failed'), task('e3', status => 'running'), task('e4');
         UPDATE agent_task_queue SET completed_at = now() WHERE status IN ('completed', 'failed');
         INSERT INTO multica_task_incarnation
         SELECT id, '{FIRST}'::uuid, now() FROM agent_task_queue UNION ALL SELECT {gone}, '{FIRST}', now();
         INSERT INTO multica_runtime_incarnation
         SELECT id, '{FIRST}'::uuid, now() FROM agent_runtime UNION ALL SELECT {gone}, '{FIRST}', now();
         SET multica.batch_size = 2",
        gone = id("e9")
    ))?;
    let left = "SELECT string_agg(right(task_id::text, 2), ' ' ORDER BY task_id), (SELECT count(*) FROM multica_runtime_incarnation)
                FROM multica_task_incarnation";
    expect(&mut client, "SELECT more FROM multica_sweep()", "t")?;
    expect(&mut client, left, "e3 e4 e9 3")?;
    let mut holder = database.connect()?;
    holder.batch_execute(&format!(
        "BEGIN; SELECT FROM multica_task_incarnation WHERE task_id = {} FOR SHARE",
        id("e9")
    ))?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "f")?;
    expect(&mut client, left, "e3 e4 e9 3")?;
    holder.batch_execute("ROLLBACK")?;
    expect(&mut client, "SELECT more FROM multica_sweep()", "f")?;
    expect(&mut client, left, "e3 e4 3")
}

/// Each of many runtimes has a record, and one runtime is gone. An idle sweep looks up a part of them, and one of the next
/// sweeps forgets the one that is gone.
fn sweep_looks_up_few_of_many_runtimes(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    client.batch_execute(&format!(
        "INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT {}, n, n, 'local', 'claude', 'online', now() FROM generate_series(1, 5000) AS n;
         INSERT INTO multica_runtime_incarnation SELECT id, '{FIRST}'::uuid, now() FROM agent_runtime;
         INSERT INTO multica_runtime_return SELECT id, now() FROM agent_runtime ON CONFLICT DO NOTHING;
         SELECT FROM multica_sweep()",
        id("a1")
    ))?;
    // The counter also has what this session did before.
    let lookups = "SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relid = 'agent_runtime'::regclass";
    let rows =
        values(&mut client, &format!("BEGIN; {lookups}; SELECT more FROM multica_sweep(); {lookups}; ROLLBACK"))?;
    let looked_up = rows[2].parse::<i64>()? - rows[0].parse::<i64>()?;
    ensure!(rows[1] == "f" && looked_up < 5000, "{looked_up} runtimes were looked up, more: {}", rows[1]);
    client.batch_execute("DELETE FROM agent_runtime WHERE daemon_id = '4000'")?;
    for _ in 0..1000 {
        client.batch_execute("SELECT FROM multica_sweep()")?;
        let left = value(
            &mut client,
            "SELECT (SELECT count(*) FROM multica_runtime_incarnation) + (SELECT count(*) FROM multica_runtime_return)",
        )?;
        if left == "10004" {
            return Ok(());
        }
    }
    bail!("a record of a runtime that is gone stays")
}

/// A server claims, and a daemon registers, sends heartbeats and recovers. Its recovery fails what the server claimed
/// for its former process.
fn one_process_in_tables_of_servers(context: &Context) -> Result<()> {
    on_generations(context, &[], |client, _| {
        let runtime = "md5('runtime online')::uuid";
        let register = |incarnation: &str| {
            format!(
                "SELECT FROM multica_register(md5('workspace 1')::uuid, '{{\"daemon_id\": \"machine-online\",
                     \"runtimes\": [{{\"type\": \"claude\"}}], \"incarnation\": \"{incarnation}\"}}')"
            )
        };
        let calls = |incarnation: &str| {
            [
                format!("SELECT FROM multica_heartbeat({runtime}, incarnation => '{incarnation}')"),
                format!("SELECT FROM multica_recover_orphans({runtime}, NULL, '{incarnation}')"),
            ]
        };
        client.batch_execute(&register(FIRST))?;
        client.batch_execute(&calls(FIRST)[0])?;
        client.batch_execute(&register(SECOND))?;
        for call in calls(FIRST) {
            refused(client, &call)?;
        }
        for call in calls(SECOND) {
            client.batch_execute(&call)?;
        }
        let in_flight = format!(
            "SELECT count(*) FROM agent_task_queue WHERE runtime_id = {runtime} AND status IN ('dispatched', 'running')"
        );
        expect(client, &in_flight, "0")
    })
}
