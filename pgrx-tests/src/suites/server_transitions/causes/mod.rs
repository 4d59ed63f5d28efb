//! Of the events of one call, a cause comes before its consequences. Every call that records several events is made, in
//! all tables, and the order of its events is compared with a table of causes.

mod cases;

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use super::{Place, on_work};
use crate::context::Context;
use crate::suites::support::{OF_ADMINISTRATORS, value, values};
use cases::{CASES, Case, WORK};

/// What causes what: the types of the cause `c`, the types of its consequence `e`, and when both are about the same
/// thing.
const CAUSES: [(&str, &str, &str); 14] = [
    (
        "daemon:register",
        "task:queued task:dispatch task:resumed task:failed task:cancelled",
        "c.payload -> 'runtime_ids' ? (e.payload ->> 'runtime_id')",
    ),
    (
        "daemon:register",
        "agent:status",
        "c.payload ->> 'action' = 'delete' OR c.payload -> 'runtime_ids' ? (e.payload #>> '{agent,runtime_id}')",
    ),
    ("daemon:register", "autopilot:updated", "c.payload ->> 'action' = 'delete'"),
    // A failure and its retry, and what was replaced and its rerun.
    ("task:failed", "task:queued", "e.payload ->> 'parent_task_id' = c.payload ->> 'task_id'"),
    (
        "task:cancelled",
        "task:queued",
        "e.payload ->> 'parent_task_id' IS NULL AND e.payload ->> 'issue_id' = c.payload ->> 'issue_id'
         AND e.payload ->> 'agent_id' = c.payload ->> 'agent_id'",
    ),
    // The steps of one task.
    ("task:queued", "task:dispatch", SAME_TASK),
    ("task:resumed", "task:completed task:failed", SAME_TASK),
    ("task:completed", "chat:done", SAME_TASK),
    // The start of a task and its escalation.
    (
        "task:running",
        "task:cancelled",
        "c.payload ->> 'task_id' = (
             SELECT to_jsonb(t) ->> 'escalation_for_task_id' FROM agent_task_queue AS t WHERE t.id = (e.payload ->> 'task_id')::uuid)",
    ),
    // What the end of a task changes, and what its issue does.
    (
        "task:completed task:failed task:cancelled",
        "issue:updated",
        "c.payload ->> 'issue_id' = e.payload #>> '{issue,id}'",
    ),
    (
        "task:completed task:failed task:cancelled",
        "autopilot:run_done",
        "EXISTS (
             SELECT FROM agent_task_queue AS t JOIN autopilot_run AS r ON r.id = t.autopilot_run_id OR r.issue_id = t.issue_id
             WHERE t.id = (c.payload ->> 'task_id')::uuid AND r.id = (e.payload ->> 'run_id')::uuid)",
    ),
    (
        "issue:updated",
        "autopilot:run_done",
        "(c.payload #>> '{issue,id}')::uuid = (
             SELECT r.issue_id FROM autopilot_run AS r WHERE r.id = (e.payload ->> 'run_id')::uuid)",
    ),
    // The status of an agent follows its tasks that were claimed.
    (
        "task:dispatch task:resumed task:waiting_local_directory task:running task:completed task:failed task:cancelled",
        "agent:status",
        "c.payload ->> 'agent_id' = e.payload #>> '{agent,id}' AND NOT EXISTS (
             SELECT FROM agent_task_queue AS t WHERE t.id = (c.payload ->> 'task_id')::uuid AND t.dispatched_at IS NULL)",
    ),
    // Of queued tasks these are retries and those that were given back, which have a parent here, and none that were due.
    (
        "task:queued",
        "agent:status",
        "c.payload ->> 'agent_id' = e.payload #>> '{agent,id}' AND EXISTS (
             SELECT FROM agent_task_queue AS t WHERE t.id = (c.payload ->> 'task_id')::uuid AND t.parent_task_id IS NOT NULL
                 AND to_jsonb(t) ->> 'fire_at' IS NULL)",
    ),
];

const SAME_TASK: &str = "c.payload ->> 'task_id' = e.payload ->> 'task_id'";

/// Functions that record no event, or one event per workspace at most.
const OF_ONE_EVENT: [&str; 24] = [
    "multica_count_active_agents",
    "multica_delete_stale_offline_runtimes",
    "multica_deregister",
    "multica_enqueue",
    "multica_enqueue_autopilot",
    "multica_enqueue_chat",
    "multica_enqueue_issue",
    "multica_enqueue_mention",
    "multica_events",
    "multica_extend_lease",
    "multica_forget_reader",
    "multica_heartbeat",
    "multica_heartbeat_many",
    "multica_limit",
    "multica_mark_stale_runtimes_offline",
    "multica_pin_session",
    "multica_progress",
    "multica_reassign_tasks",
    "multica_reconcile_agent",
    "multica_record_legacy_daemon_id",
    "multica_retry",
    "multica_set_runtime_offline",
    "multica_take_events",
    "multica_upsert_runtime",
];

/// Procedures that call a function of the cases.
const OF_OTHERS: [&str; 1] = ["multica_sweep_all"];

/// Every function that can write is in one of the lists.
fn every_function_is_listed(client: &mut Client) -> Result<()> {
    let writing = values(
        client,
        "SELECT DISTINCT p.proname::text FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
         JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'multica' AND p.provolatile = 'v'",
    )?;
    let listed: BTreeSet<&str> =
        CASES.iter().map(Case::function).chain(OF_ONE_EVENT).chain(OF_OTHERS).chain(OF_ADMINISTRATORS).collect();
    let found: BTreeSet<&str> = writing.iter().map(String::as_str).collect();
    let missing: Vec<&&str> = found.difference(&listed).collect();
    let gone: Vec<&&str> = listed.difference(&found).collect();
    ensure!(missing.is_empty() && gone.is_empty(), "not listed: {missing:?}; listed, but not found: {gone:?}");
    Ok(())
}

/// Returns a query of the causes and consequences among the events after `before`: the place in the table, whether the
/// cause is first, and both types.
fn pairs(before: &str) -> String {
    let rows: Vec<String> = CAUSES
        .iter()
        .enumerate()
        .map(|(place, (causes, consequences, is_same))| {
            format!(
                "SELECT {place} AS place, c.id < e.id AS is_first, c.type AS cause, e.type AS consequence FROM of_call AS c, of_call AS e
                 WHERE c.type = ANY (string_to_array('{causes}', ' ')) AND e.type = ANY (string_to_array('{consequences}', ' '))
                     AND ({is_same})"
            )
        })
        .collect();
    format!(
        "WITH of_call AS MATERIALIZED (SELECT l.id, l.type, l.payload FROM multica_event_log AS l WHERE l.id > {before})
         {}",
        rows.join(" UNION ALL ")
    )
}

/// Makes the call of a case, and returns the places in the table that its events show. Fails if a consequence comes first,
/// or if the events show nothing.
fn places_of(client: &mut Client, case: &Case) -> Result<BTreeSet<usize>> {
    client.batch_execute(&format!("BEGIN; {WORK}; {}", case.prepare))?;
    let before = value(client, "SELECT COALESCE(max(id), 0) FROM multica_event_log")?;
    client.batch_execute(&format!("SELECT FROM {}", case.call))?;
    let all = format!("SELECT string_agg(type, ' ' ORDER BY id) FROM multica_event_log WHERE id > {before}");
    let events = value(client, &all)?;
    let mut places = BTreeSet::new();
    for pair in values(client, &pairs(&before))? {
        let fields: Vec<&str> = pair.split(' ').collect();
        ensure!(fields[1] == "t", "{} comes before its cause {} in {events}", fields[3], fields[2]);
        places.insert(fields[0].parse()?);
    }
    ensure!(!places.is_empty(), "no cause and no consequence: {events}");
    client.batch_execute("ROLLBACK")?;
    Ok(places)
}

pub fn causes_come_before_their_consequences(context: &Context) -> Result<()> {
    let seen = RefCell::new(BTreeSet::new());
    let made = RefCell::new(BTreeSet::new());
    on_work(context, &[], |place: &Place, client| {
        every_function_is_listed(client)?;
        for (at, case) in CASES.iter().enumerate().filter(|(_, case)| case.is_possible(place)) {
            seen.borrow_mut().extend(places_of(client, case).with_context(|| case.call.to_string())?);
            made.borrow_mut().insert(at);
        }
        Ok(())
    })?;
    for (place, (cause, consequence, _)) in CAUSES.iter().enumerate() {
        ensure!(seen.borrow().contains(&place), "no call records {cause} and then {consequence}");
    }
    for (at, case) in CASES.iter().enumerate() {
        ensure!(made.borrow().contains(&at), "no tables have the features of {}", case.call);
    }
    Ok(())
}
