//! The objects that install makes besides tables, columns, constraints and indexes.

use anyhow::{Context as _, Result, ensure};

use crate::context::Context;
use crate::suites::docs::blocks;
use crate::suites::install::support::{all_adopted, install, server, with_action};
use crate::suites::support::{expect, id, value};

/// Runs all statements of moving.md, then every call of a task in the schema of another name.
pub fn calls_work_after_documented_move(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    let page = blocks(context, "moving.md", "Taking it out and putting it in again")?;
    let role = format!("viewer_{}", database.name);
    for block in page {
        client.batch_execute(&block.replace("fleet_viewer", &role))?;
    }
    let mut client = database.connect()?;
    client.batch_execute(&format!(
        "SET search_path = agents;
         INSERT INTO workspace (id, name, slug) VALUES ({workspace}, 'Acme', 'acme');
         INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         VALUES ({runtime}, {workspace}, 'machine', 'machine', 'local', 'claude', 'online', now());
         INSERT INTO agent (id, workspace_id, runtime_id, name) VALUES ({agent}, {workspace}, {runtime}, 'coder');
         SET search_path = public;
         INSERT INTO agents.issue (id, workspace_id, title, creator_type, creator_id, assignee_type, assignee_id)
         VALUES ({issue}, {workspace}, 'login', 'member', gen_random_uuid(), 'agent', {agent});
         SELECT FROM agents.multica_enqueue_issue({issue})",
        workspace = id("a1"),
        runtime = id("b1"),
        agent = id("c1"),
        issue = id("d1"),
    ))?;
    expect(&mut client, "SELECT number FROM agents.issue", "1")?;
    let claim = format!("SELECT id FROM agents.multica_claim({})", id("b1"));
    let task = value(&mut client, &claim)?;
    for call in [
        format!("multica_start('{task}')"),
        format!("multica_complete('{task}', '{{}}')"),
        format!("multica_heartbeat({})", id("b1")),
        "multica_take_events('mirror')".into(),
        "multica_status()".into(),
    ] {
        client.batch_execute(&format!("SELECT FROM agents.{call}")).context(call)?;
    }
    client.batch_execute(
        "UPDATE agents.agent_runtime SET last_seen_at = now() - interval '1 hour'; SELECT FROM agents.multica_sweep()",
    )?;
    expect(&mut client, "SELECT status FROM agents.agent_task_queue", "completed")?;
    expect(&mut client, "SELECT status FROM agents.agent_runtime", "offline")?;
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))?;
    Ok(())
}

/// The tables are moved one by one. The function that numbers issues stays in the old schema, and install creates it
/// again in the schema of the tables.
pub fn install_uses_tables_moved_to_another_schema(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE SCHEMA fleet;
         DROP EXTENSION multica;
         DO $$
         DECLARE moved regclass;
         BEGIN
             FOR moved IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s SET SCHEMA fleet', moved);
             END LOOP;
         END $$;
         CREATE EXTENSION multica SCHEMA fleet;
         SET search_path = fleet",
    )?;
    let steps = install(&mut client)?;
    let altered = with_action(&steps, "altered");
    ensure!(altered.contains(&"multica_issue_number()"), "{steps:?}");
    all_adopted(&install(&mut client)?)?;
    client.batch_execute("RESET search_path")?;
    client.batch_execute(&format!(
        "INSERT INTO fleet.workspace (id, name, slug) VALUES ({workspace}, 'Acme', 'acme');
         INSERT INTO fleet.issue (workspace_id, title, creator_type, creator_id)
         VALUES ({workspace}, 'login', 'member', gen_random_uuid())",
        workspace = id("a1"),
    ))?;
    expect(&mut client, "SELECT number FROM fleet.issue", "1")
}

/// Objects that are broken at the same time, and the name under which the next install returns each.
const BROKEN: [&[(&str, &str)]; 3] = [
    &[
        (
            "ALTER FUNCTION multica_issue_number() SET search_path = elsewhere",
            "multica_issue_number()",
        ),
        (
            "DROP TRIGGER multica_issue_number ON issue",
            "issue.multica_issue_number",
        ),
        ("ALTER TABLE agent ALTER runtime_mode DROP DEFAULT", "agent.runtime_mode"),
        ("ALTER TABLE issue ALTER status DROP DEFAULT", "issue.status"),
        (
            "ALTER TABLE multica_event_log ALTER created_at DROP DEFAULT",
            "multica_event_log.created_at",
        ),
        (
            "ALTER TABLE multica_sweep_state ALTER tasks_failed SET DEFAULT 5",
            "multica_sweep_state.tasks_failed",
        ),
        (
            "ALTER TABLE multica_event_log ALTER id DROP IDENTITY",
            "multica_event_log.id",
        ),
        ("COMMENT ON TABLE multica_event_log IS 'mine'", "multica_event_log"),
        (
            "COMMENT ON COLUMN multica_event_reader.last_id IS NULL",
            "multica_event_reader.last_id",
        ),
    ],
    &[
        (
            "CREATE OR REPLACE FUNCTION multica_issue_number() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RETURN NULL; END'; COMMENT ON FUNCTION multica_issue_number() IS NULL",
            "multica_issue_number()",
        ),
        (
            "ALTER TABLE issue DISABLE TRIGGER multica_issue_number",
            "issue.multica_issue_number",
        ),
    ],
    &[(
        "DROP TRIGGER multica_issue_number ON issue;
         CREATE TRIGGER multica_issue_number AFTER INSERT ON issue FOR EACH ROW EXECUTE FUNCTION multica_issue_number()",
        "issue.multica_issue_number",
    )],
];

/// In a schema whose name needs quotes; the second install has nothing to do.
pub fn install_repairs_its_objects(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE SCHEMA \"Fleet 1\"; CREATE SCHEMA elsewhere; CREATE EXTENSION multica SCHEMA \"Fleet 1\";
         SET search_path = \"Fleet 1\"; SELECT FROM multica_install()",
    )?;
    all_adopted(&install(&mut client)?)?;
    for broken in BROKEN {
        for (sql, _) in broken {
            client.batch_execute(sql).context(*sql)?;
        }
        let steps = install(&mut client)?;
        let altered = with_action(&steps, "altered");
        for (sql, object) in broken {
            ensure!(altered.contains(object), "{sql}: {altered:?}");
        }
        all_adopted(&install(&mut client)?)?;
    }
    client.batch_execute(&format!(
        "INSERT INTO workspace (id, name, slug) VALUES ({workspace}, 'Acme', 'acme');
         INSERT INTO issue (workspace_id, title, creator_type, creator_id) VALUES ({workspace}, 'login', 'member', gen_random_uuid())",
        workspace = id("a1")
    ))?;
    expect(&mut client, "SELECT number FROM issue", "1")
}

/// Install keeps another default of a table that it shares with the server, and all objects of a database that a server
/// made.
pub fn install_keeps_changes_of_users(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let mut client = database.connect()?;
    client
        .batch_execute("ALTER TABLE agent ALTER runtime_mode SET DEFAULT 'cloud'; COMMENT ON TABLE issue IS 'mine'")?;
    all_adopted(&install(&mut client)?)?;
    let database = server(context, "ALTER TABLE issue ALTER status DROP DEFAULT")?;
    let mut client = database.connect()?;
    install(&mut client)?;
    let steps = install(&mut client)?;
    ensure!(with_action(&steps, "missing") == ["issue.status"], "{steps:?}");
    ensure!(with_action(&steps, "altered").is_empty(), "{steps:?}");
    expect(&mut client, "SELECT count(*) FROM pg_trigger WHERE tgname = 'multica_issue_number'", "0")
}
