//! Plans that stay good: no statement of any function reads a table from end to end, whatever the planner knows.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use self::read::{Told, indexes, text, walks};
use super::Suite;
use super::grant::support::{CAPABILITIES, routines, story};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = &[
    (
        "plans/no_table_is_read_whole_without_statistics",
        |context| no_table_is_read_whole(context, "", ""),
    ),
    ("plans/no_table_is_read_whole_with_statistics", |context| {
        no_table_is_read_whole(context, "", "ANALYZE")
    }),
    (
        "plans/no_table_is_read_whole_with_statistics_of_empty_tables",
        |context| no_table_is_read_whole(context, "VACUUM ANALYZE", ""),
    ),
    (
        "plans/batch_of_beats_goes_in_the_order_of_the_ids",
        batch_of_beats_goes_in_the_order_of_the_ids,
    ),
];

/// Tables that grow with what was done.
const HISTORY: [&str; 2] = ["agent_task_queue", "multica_event_log"];

/// Those that grow with the fleet and its work too. The registry of runtimes is not among them: the sweep reads it whole.
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

/// Folders of `sql/` whose statements run against tables that are there.
const STATEMENTS: [&str; 7] = [
    "event", "failure", "lock", "runtime", "status", "sweep", "task",
];

/// The plans that the extension makes, and those that a session makes which wants a new one for every call: there a
/// sequential scan of tables this small is taken where no index can take its place. Beside each, the tables of which no
/// index may be walked through: where sequential scans are put off, one of a small table is walked instead.
const MODES: [(&str, &[&str]); 2] = [
    ("SET plan_cache_mode = auto", &ALL_BUT_REGISTRY),
    (
        "SET plan_cache_mode = force_custom_plan; SET enable_seqscan = off",
        &HISTORY,
    ),
];

fn no_table_is_read_whole(context: &Context, before: &str, after: &str) -> Result<()> {
    let cluster = context.cluster(&Options::new("plans").set("autovacuum", "off"))?;
    let loaded = context.fresh_database_in(&cluster)?;
    loaded.connect()?.batch_execute(before)?;
    loaded.fixture("grant/world")?;
    loaded.fixture("plans/history")?;
    loaded.connect()?.batch_execute(after)?;
    let mut wrong = BTreeSet::new();
    for mode in MODES {
        wrong.extend(told(context, &cluster, &loaded, mode)?);
    }
    let wrong: Vec<String> = wrong.into_iter().collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Lets every function be called and reads the plans of all that it runs.
fn told(
    context: &Context,
    cluster: &Cluster,
    loaded: &Database,
    (mode, by_index): (&str, &[&str]),
) -> Result<BTreeSet<String>> {
    let database = Database::create(cluster, &loaded.name, &context.fixtures())?;
    let mut session = Told::connect(&database)?;
    session.client.batch_execute(mode)?;
    let indexes = indexes(&mut session.client)?;
    let mut stories = Vec::new();
    for capability in CAPABILITIES {
        stories.push(format!("BEGIN; {} ROLLBACK", story(context, capability)?));
    }
    // What commits cannot be taken back.
    stories.push(
        "UPDATE agent_runtime SET last_seen_at = '-infinity'; SET multica.batch_size = 1".into(),
    );
    stories.push("CALL multica_sweep_all()".into());
    for routine in routines(&mut session.client)? {
        let called = stories
            .iter()
            .any(|it| it.contains(&format!("{}(", routine.name)));
        // These are for the administrator, who calls them once.
        let once = ["multica_grant", "multica_install"].contains(&routine.name.as_str());
        ensure!(called || once, "no plan of {} is read", routine.name);
    }
    let statements = statements(&context.project.root.join("sql"))?;
    let mut unseen: BTreeSet<&String> = statements.keys().collect();
    let mut wrong = BTreeSet::new();
    for story in stories {
        for plan in session.plans(&story)? {
            let file = statements.iter().find(|(_, it)| *it == text(&plan));
            let what = file.map_or(text(&plan), |(name, _)| name);
            if let Some((name, _)) = file {
                unseen.remove(name);
            }
            for walk in walks(&plan, &ALL_BUT_REGISTRY, by_index, &indexes) {
                wrong.insert(format!("{walk} in {what} after {mode}"));
            }
        }
    }
    ensure!(unseen.is_empty(), "no plan is read of {unseen:?}");
    Ok(wrong)
}

/// Two batches that lock the same rows in different orders deadlock, and an UPDATE has no ORDER BY. Indexes that give other
/// orders look as good as the right one as long as a table is small, and the plan made then is kept.
fn batch_of_beats_goes_in_the_order_of_the_ids(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut session = Told::connect(&database)?;
    session.client.batch_execute(
        "CREATE INDEX ON agent_runtime (status, id);
         CREATE INDEX ON agent_runtime (workspace_id, id)",
    )?;
    session
        .client
        .batch_execute("VACUUM ANALYZE agent_runtime")?;
    let statements = statements(&context.project.root.join("sql"))?;
    let plans = session.plans("SELECT multica_heartbeat_many(ARRAY[gen_random_uuid()])")?;
    let plan = plans
        .iter()
        .find(|plan| text(plan) == statements["runtime/heartbeat_many.sql"])
        .context("the statement has run")?;
    let scan = &plan["Plan"]["Plans"][0];
    let found = ["Node Type", "Scan Direction", "Index Name"].map(|what| scan[what].as_str());
    let wanted = ["Index Scan", "Forward", "agent_runtime_pkey"].map(Some);
    ensure!(found == wanted, "the rows come by {found:?}");
    Ok(())
}

/// The statements that functions run, by file.
fn statements(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for topic in STATEMENTS {
        let files = std::fs::read_dir(folder.join(topic)).with_context(|| topic.to_string())?;
        for file in files {
            let path = file?.path();
            let name = path.strip_prefix(folder)?.display().to_string();
            found.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    Ok(found)
}
