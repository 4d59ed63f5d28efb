//! Plans that are the same on every server: never compiled, never parallel, and of one shape under any settings.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::calls;
use super::read::{PlanSession, text};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;

/// No statement of any function may be compiled, because a compiled statement takes half a second instead of half a
/// millisecond.
pub fn no_statement_is_compiled_or_parallel(context: &Context) -> Result<()> {
    let cluster = cluster(context)?;
    let database = world(context, &cluster)?.database;
    let mut session = PlanSession::connect(&database)?;
    if context.copy.major == crate::project::MAJOR {
        let can_compile: bool = session.client.query_one("SELECT pg_jit_available()", &[])?.get(0);
        ensure!(can_compile, "this server has no LLVM, so that nothing could be compiled");
    }
    let jit: String = session.client.query_one("SHOW jit", &[])?.get(0);
    ensure!(jit == "on", "jit is not the default of a new server");
    let mut scripts = calls::all(context, &mut session.client)?;
    scripts
        .insert(0, "BEGIN; SELECT multica_install(); SELECT multica_grant('pg_monitor', 'operator'); ROLLBACK".into());
    let mut wrong = BTreeSet::new();
    for script in scripts {
        for plan in session.plans(&script)? {
            if !plan["JIT"].is_null() {
                wrong.insert(format!("compiled: {}", text(&plan)));
            }
            nodes(&plan["Plan"], &mut |node| {
                let kind = node["Node Type"].as_str().unwrap_or_default();
                if kind.starts_with("Gather") || node["Parallel Aware"] == true {
                    wrong.insert(format!("parallel: {}", text(&plan)));
                }
            });
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// A database session, a role or an operator may set any planner setting. The order in which a call locks rows, and its
/// cost, must not depend on it. The test sets every planner setting in the catalogue to its extreme values.
pub fn no_setting_changes_a_plan_shape(context: &Context) -> Result<()> {
    let cluster = cluster(context)?;
    let world = world(context, &cluster)?;
    let expected = world.shapes("")?;
    let mut wrong = Vec::new();
    // Several settings per session take less time than one; the two extremes of one setting follow each other in the
    // list.
    let sets = extremes(&world.database)?;
    let sessions = sets.len() / 4;
    for session in 0..sessions {
        let sets: Vec<&str> = sets.iter().skip(session).step_by(sessions).map(String::as_str).collect();
        let set = sets.join("; ");
        wrong.extend(expected.differences(&world.shapes(&set)?, &set));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Postgres plans a cached statement again when a session creates its first temporary table or discards plans, or a
/// table is analyzed; and during a call when a trigger does so.
pub fn replanning_keeps_plan_shape(context: &Context) -> Result<()> {
    let cluster = cluster(context)?;
    let world = world(context, &cluster)?;
    let everything = extremes(&world.database)?.join("; ");
    // The first calls leave dead rows, so a plan made after them may differ from one made before.
    let expected = world.shapes_of_second_calls("DISCARD PLANS")?;
    let planned_again = |between: &str| -> Result<Shapes> {
        let mut found = world.shapes_of_second_calls(between)?;
        found.0.retain(|file, _| !SORTED.contains(&file.as_str()));
        Ok(found)
    };
    let mut wrong = Vec::new();
    for between in [
        "CREATE TEMP TABLE first (id integer)",
        "ANALYZE",
        "CREATE TABLE other (id integer); SET search_path = public, pg_catalog",
        &everything,
    ] {
        wrong.extend(expected.differences(&planned_again(between)?, between));
    }
    let trigger = |table: &str| {
        format!("CREATE TRIGGER disturb BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION disturb();")
    };
    let tables = ["agent_task_queue", "agent_runtime", "agent", "issue", "multica_event_log"];
    world.database.connect()?.batch_execute(&format!(
        "CREATE FUNCTION disturb() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             DISCARD PLANS; {everything}; RETURN NEW;
         END $$; {}",
        tables.map(trigger).concat()
    ))?;
    wrong.extend(expected.differences(&planned_again("")?, "the settings of a trigger"));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A cluster in which every copy of a database has the same statistics and table sizes.
fn cluster(context: &Context) -> Result<Cluster> {
    context.cluster(&Options::new("pinned").set("autovacuum", "off"))
}

fn world<'a>(context: &'a Context, cluster: &'a Cluster) -> Result<World<'a>> {
    let database = context.fresh_database_in(cluster)?;
    database.fixture("grant/world")?;
    database.fixture("plans/history")?;
    database.connect()?.batch_execute("ANALYZE")?;
    let mut calls = calls::all(context, &mut database.connect()?)?;
    calls.retain(|script| script.starts_with("BEGIN"));
    Ok(World { context, cluster, database, calls })
}

/// A database with tasks and history; the tests use copies of it.
struct World<'a> {
    context: &'a Context,
    cluster: &'a Cluster,
    database: Database<'a>,
    /// All calls that are rolled back.
    calls: Vec<String>,
}

impl World<'_> {
    fn copy(&self) -> Result<Database<'_>> {
        Database::create(self.cluster, &self.database.name, &self.context.fixtures())
    }

    fn read(&self, session: &mut PlanSession) -> Result<Shapes> {
        let mut statements = calls::Statements::read(&self.context.project)?;
        let mut shapes = BTreeMap::new();
        for script in &self.calls {
            for plan in session.plans(script)? {
                if let Some(file) = statements.file_of(text(&plan)) {
                    let all: &mut BTreeSet<String> = shapes.entry(file.to_string()).or_default();
                    all.insert(shape(&plan["Plan"]));
                }
            }
        }
        Ok(Shapes(shapes))
    }

    /// The plan shapes of all calls in a new database session that begins with `set`.
    fn shapes(&self, set: &str) -> Result<Shapes> {
        let copy = self.copy()?;
        let mut session = PlanSession::connect(&copy)?;
        session.client.batch_execute(set)?;
        self.read(&mut session)
    }

    /// The plan shapes of all calls in a database session that has run each call once, and then `between`.
    fn shapes_of_second_calls(&self, between: &str) -> Result<Shapes> {
        let copy = self.copy()?;
        let mut session = PlanSession::connect(&copy)?;
        self.read(&mut session)?;
        session.client.batch_execute(between)?;
        self.read(&mut session)
    }
}

/// A SET for each extreme value of each setting that the planner reads.
fn extremes(database: &Database) -> Result<Vec<String>> {
    let rows = database.connect()?.query(
        "SELECT s.name, s.vartype, s.setting, s.min_val,
             -- Above it costs are infinite, and no call can be planned.
             CASE WHEN s.vartype = 'real' THEN LEAST(s.max_val::float8, 1e10)::text ELSE s.max_val END,
             s.enumvals
         FROM pg_settings AS s
         WHERE (s.category LIKE 'Query Tuning%' OR s.name IN ('work_mem', 'hash_mem_multiplier') OR s.name LIKE '%parallel%')
             AND s.context = 'user'
         ORDER BY s.name",
        &[],
    )?;
    let mut sets = Vec::new();
    for row in rows {
        let (name, kind, setting): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let values: Vec<String> = match kind.as_str() {
            "bool" => vec![if setting == "on" { "off" } else { "on" }.into()],
            "enum" => row.get(5),
            _ => [3, 4].map(|at| row.get::<_, String>(at)).into(),
        };
        for value in values {
            if value != setting {
                sets.push(format!("SET {name} = '{value}'"));
            }
        }
    }
    ensure!(sets.len() > 50, "only {} settings were found", sets.len());
    Ok(sets)
}

/// Statements for which two plans cost nearly the same, so that dead rows and statistics may decide between the plans.
/// Both plans sort their rows.
const SORTED: [&str; 2] = ["event/readers.sql", "lifecycle/collection/candidates.sql"];

/// The plan shapes of each statement of the library.
struct Shapes(BTreeMap<String, BTreeSet<String>>);

impl Shapes {
    fn differences(&self, found: &Shapes, cause: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (file, found) in &found.0 {
            let expected = self.0.get(file);
            if expected != Some(found) {
                all.push(format!("{file} after {cause}:\n  {expected:?}\n  {found:?}"));
            }
        }
        all
    }
}

/// Node types, tables and indexes of a plan.
fn shape(node: &Value) -> String {
    let field = |key: &str| node[key].as_str().unwrap_or_default();
    let below: Vec<String> = node["Plans"].as_array().into_iter().flatten().map(shape).collect();
    format!(
        "{} {} {} {}({})",
        field("Node Type"),
        field("Join Type"),
        field("Scan Direction"),
        [field("Index Name"), field("Relation Name")].into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
        below.join(", ")
    )
}

fn nodes(node: &Value, visit: &mut impl FnMut(&Value)) {
    visit(node);
    for below in node["Plans"].as_array().into_iter().flatten() {
        nodes(below, visit);
    }
}
