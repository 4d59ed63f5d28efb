//! A runtime is merged into another one. The processes that had registered it are replaced there too.

use anyhow::Result;

use super::{FIRST, SECOND, refused};
use crate::context::Context;
use crate::suites::support::{expect, id, start, team};

/// A registration of a daemon with this id and incarnation. Its former id is that of machine-1 of the fixture `team`.
fn register(daemon: &str, incarnation: &str) -> String {
    format!(
        "SELECT FROM multica_register({}, '{{\"daemon_id\": \"{daemon}\", \"legacy_daemon_ids\": [\"machine-1\"],
             \"runtimes\": [{{\"type\": \"claude\"}}], \"incarnation\": \"{incarnation}\"}}')",
        id("a1")
    )
}

/// A heartbeat of a process for the runtime of the daemon.
fn heartbeat(daemon: &str, incarnation: &str) -> String {
    format!(
        "SELECT h.status FROM agent_runtime AS r, multica_heartbeat(r.id, incarnation => '{incarnation}') AS h
         WHERE r.daemon_id = '{daemon}'"
    )
}

/// What is recorded about the runtime of the daemon.
fn recorded(daemon: &str) -> String {
    format!(
        "SELECT right(i.incarnation::text, 2), ARRAY(SELECT right(p::text, 2) FROM unnest(i.replaced) AS p)
         FROM agent_runtime AS r JOIN multica_runtime_incarnation AS i ON i.runtime_id = r.id WHERE r.daemon_id = '{daemon}'"
    )
}

const MERGE: &str = "SELECT FROM multica_merge_legacy('00000000-0000-4000-8000-0000000000a1', 'claude', 'machine-1',
    '00000000-0000-4000-8000-0000000000b2')";

/// The machine was renamed, and its former process has not ended. Later it reads the new name and registers under it.
pub fn process_of_merged_runtime_is_replaced(context: &Context) -> Result<()> {
    for target in ["machine-new", "machine-2"] {
        let (_database, mut client) = team(context)?;
        client.batch_execute(&register("machine-1", FIRST))?;
        client.batch_execute(&register(target, SECOND))?;
        expect(&mut client, &recorded(target), "f9 {f8}")?;
        expect(
            &mut client,
            "SELECT e.payload -> 'replaced_incarnations' ->> r.id::text
             FROM multica_event_log AS e JOIN agent_runtime AS r ON e.payload -> 'runtime_ids' ? r.id::text
             WHERE e.type = 'daemon:register' ORDER BY e.id DESC LIMIT 1",
            FIRST,
        )?;
        refused(&mut client, &register(target, FIRST))?;
        refused(&mut client, &heartbeat(target, FIRST))?;
        expect(&mut client, &heartbeat(target, SECOND), "online")?;
    }
    Ok(())
}

/// The process itself has read its new name. It goes on, also where the other runtime had a process of its own.
pub fn process_that_renames_itself_goes_on(context: &Context) -> Result<()> {
    for target in ["machine-new", "machine-2"] {
        for other in [false, true] {
            let (_database, mut client) = team(context)?;
            client.batch_execute(&register("machine-1", FIRST))?;
            if other {
                client.batch_execute(&register(target, SECOND).replace("[\"machine-1\"]", "[]"))?;
            }
            for _ in 0..2 {
                client.batch_execute(&register(target, FIRST))?;
                expect(&mut client, &heartbeat(target, FIRST), "online")?;
            }
            expect(&mut client, &recorded(target), if other { "f8 {f9}" } else { "f8 {}" })?;
        }
    }
    Ok(())
}

/// An application merges. What was recorded about several runtimes is joined, the latest processes first.
pub fn merge_of_application_keeps_what_is_recorded(context: &Context) -> Result<()> {
    let (_database, mut client) = team(context)?;
    let clear = "DELETE FROM multica_runtime_incarnation;
                 UPDATE agent_runtime SET daemon_id = 'MACHINE-1' WHERE daemon_id = 'machine-9';
                 UPDATE agent_runtime SET workspace_id = '00000000-0000-4000-8000-0000000000a1'";
    let record = |runtime: &str, process: &str, age: u32, replaced: &[&str]| {
        let ids: Vec<String> = replaced.iter().map(|it| id(it)).collect();
        format!(
            "INSERT INTO multica_runtime_incarnation
             VALUES ({}, {}, now() - interval '{age} minutes', ARRAY[{}]::uuid[])",
            id(runtime),
            id(process),
            ids.join(", ")
        )
    };
    let of_old = format!("{}; {}", record("b1", "f1", 2, &["f2", "f0"]), record("b9", "f3", 1, &["f1", "f4"]));
    for (of_new, expected) in [
        (String::new(), "f3 {f1,f2,f4,f0}"),
        (record("b2", "f5", 9, &["f6"]), "f5 {f3,f6,f1,f2,f4,f0}"),
        // The process had registered both.
        (record("b2", "f3", 9, &["f6", "f1"]), "f3 {f6,f1,f2,f4,f0}"),
    ] {
        client.batch_execute(&format!("BEGIN; {clear}; {of_old}; {of_new}; {MERGE}"))?;
        expect(&mut client, &recorded("machine-2"), expected)?;
        client.batch_execute("ROLLBACK")?;
    }
    // Nothing is recorded.
    client.batch_execute(&format!("BEGIN; {clear}; {MERGE}"))?;
    expect(&mut client, "SELECT count(*) FROM multica_runtime_incarnation", "0")?;
    client.batch_execute("ROLLBACK")?;
    // What is kept about former processes is bounded.
    let many: Vec<String> = (10..40).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    client.batch_execute(&format!("{}; {MERGE}", record("b1", "f1", 2, &many)))?;
    expect(
        &mut client,
        "SELECT cardinality(replaced) FROM multica_runtime_incarnation WHERE replaced[1] IS NOT NULL ORDER BY 1",
        "20\n30",
    )
}

/// A claim in an open transaction holds what is recorded. A merge waits for it, and holds no runtime meanwhile.
pub fn merge_waits_for_claim_without_locks(context: &Context) -> Result<()> {
    let (database, mut client) = team(context)?;
    for (daemon, process) in [("machine-1", FIRST), ("machine-2", SECOND)] {
        client.batch_execute(&register(daemon, process).replace("[\"machine-1\"]", "[]"))?;
    }
    client.batch_execute("BEGIN; SELECT FROM multica_runtime_incarnation FOR SHARE")?;
    let merge = start(&database, MERGE)?;
    let mut machine = database.connect()?;
    merge.wait_until_blocked(&mut machine)?;
    machine.batch_execute("SET lock_timeout = '5s'")?;
    expect(&mut machine, &format!("SELECT multica_heartbeat_many(ARRAY[{}, {}]::uuid[])", id("b1"), id("b2")), "2")?;
    client.batch_execute("COMMIT")?;
    merge.finish()?;
    expect(&mut client, &recorded("machine-2"), "f9 {f8}")
}
