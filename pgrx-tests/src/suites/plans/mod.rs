//! No statement of any function reads a whole table, whatever statistics the planner has.

mod calls;
mod pinned;
mod read;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use self::calls::Statements;
use self::read::{PlanSession, indexes, text};
use super::Suite;
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    no_table_is_read_whole_without_statistics,
    no_table_is_read_whole_with_statistics,
    no_table_is_read_whole_with_statistics_of_empty_tables,
    no_table_is_read_whole_with_former_indexes,
    pinned::no_statement_is_compiled_or_parallel,
    pinned::no_setting_changes_a_plan_shape,
    pinned::replanning_keeps_plan_shape,
    heartbeat_batch_locks_in_id_order,
];

fn no_table_is_read_whole_without_statistics(context: &Context) -> Result<()> {
    no_table_is_read_whole(context, "", "")
}

fn no_table_is_read_whole_with_statistics(context: &Context) -> Result<()> {
    no_table_is_read_whole(context, "", "ANALYZE")
}

fn no_table_is_read_whole_with_statistics_of_empty_tables(context: &Context) -> Result<()> {
    no_table_is_read_whole(context, "VACUUM ANALYZE", "")
}

/// Tables of an earlier release keep its indexes until the new ones are built, and every statement finds an index among
/// them too.
fn no_table_is_read_whole_with_former_indexes(context: &Context) -> Result<()> {
    let former = std::fs::read_to_string(context.fixtures().join("plans/former_indexes.sql"))?;
    let (wrong, _) = whole_reads(context, &former, "ANALYZE")?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Tables that grow with ended tasks and events.
const HISTORY: [&str; 2] = ["agent_task_queue", "multica_event_log"];

/// The tables above, and the tables that grow with the fleet and its tasks. The table of runtimes is not in this list,
/// because the sweep reads it whole.
const ALL_BUT_REGISTRY: [&str; 9] = [
    "agent_task_queue",
    "multica_event_log",
    "agent",
    "autopilot",
    "autopilot_run",
    "chat_message",
    "chat_session",
    "comment",
    "issue",
];

/// The plans that the extension makes, and those of a session that plans every call again, where tables this small are
/// read with a sequential scan unless that is disabled. Beside each, the tables of which no index may be read whole:
/// with sequential scans disabled, Postgres reads a whole index of a small table instead.
const MODES: [(&str, &[&str]); 2] = [
    ("SET plan_cache_mode = auto", &ALL_BUT_REGISTRY),
    ("SET plan_cache_mode = force_custom_plan; SET enable_seqscan = off", &HISTORY),
];

fn no_table_is_read_whole(context: &Context, before: &str, after: &str) -> Result<()> {
    let (wrong, unseen) = whole_reads(context, before, after)?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    ensure!(unseen.is_empty(), "no plan is read of {unseen:?}");
    Ok(())
}

/// Returns the reads of whole tables, and the statements that did not run. Tables of an earlier release lack features, so
/// other texts run there.
fn whole_reads(context: &Context, before: &str, after: &str) -> Result<(Vec<String>, BTreeSet<String>)> {
    let cluster = context.cluster(&Options::new("plans").set("autovacuum", "off"))?;
    let loaded = context.fresh_database_in(&cluster)?;
    loaded.connect()?.batch_execute(before)?;
    loaded.fixture("grant/world")?;
    loaded.fixture("plans/history")?;
    loaded.connect()?.batch_execute(after)?;
    let (mut wrong, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    for mode in MODES {
        let (reads, not_run) = whole_reads_of_calls(context, &cluster, &loaded, mode)?;
        wrong.extend(reads);
        unseen.extend(not_run);
    }
    Ok((wrong.into_iter().collect(), unseen))
}

/// Calls every function and reads the plans of all statements.
fn whole_reads_of_calls(
    context: &Context,
    cluster: &Cluster,
    loaded: &Database,
    (mode, by_index): (&str, &[&str]),
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let database = Database::create(cluster, &loaded.name, &context.fixtures())?;
    let mut session = PlanSession::connect(&database)?;
    session.client.batch_execute(mode)?;
    let indexes = indexes(&mut session.client)?;
    let calls = calls::all(context, &mut session.client)?;
    let mut statements = Statements::read(&context.project)?;
    let mut unseen = statements.names();
    let mut wrong = BTreeSet::new();
    for call in calls {
        for plan in session.plans(&call)? {
            let file = statements.file_of(text(&plan));
            let what = file.unwrap_or(text(&plan));
            if let Some(file) = file {
                unseen.remove(file);
            }
            for read in read::whole_reads(&plan, &ALL_BUT_REGISTRY, by_index, &indexes) {
                wrong.insert(format!("{read} in {what} after {mode}"));
            }
        }
    }
    Ok((wrong, unseen))
}

/// Two batches that lock the same rows in different orders deadlock, and an UPDATE has no ORDER BY. While a table is
/// small, indexes with another order cost as little as the right one, and the plan that is made then is kept.
fn heartbeat_batch_locks_in_id_order(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut session = PlanSession::connect(&database)?;
    session.client.batch_execute(
        "CREATE INDEX ON agent_runtime (status, id);
         CREATE INDEX ON agent_runtime (workspace_id, id)",
    )?;
    session.client.batch_execute("VACUUM ANALYZE agent_runtime")?;
    let mut statements = Statements::read(&context.project)?;
    let plans = session.plans("SELECT multica_heartbeat_many(ARRAY[gen_random_uuid()])")?;
    let plan = plans
        .iter()
        .find(|plan| statements.file_of(text(plan)) == Some("runtime/heartbeat_many.sql"))
        .context("the statement did not run")?;
    let scan = &plan["Plan"]["Plans"][0];
    let found = ["Node Type", "Scan Direction", "Index Name"].map(|what| scan[what].as_str());
    let wanted = ["Index Scan", "Forward", "agent_runtime_pkey"].map(Some);
    ensure!(found == wanted, "the rows are read by {found:?}");
    Ok(())
}
