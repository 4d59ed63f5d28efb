//! Install into an empty schema.

use anyhow::{Context as _, Result, ensure};

use super::support::{all_adopted, catalogue, dry_run, install, lines, same, server, value, with_action};
use crate::context::Context;

/// Columns, constraints and indexes of the server's tables, in a form that is comparable between databases. Intended
/// differences are left out: what later migrations made, keys to tables outside the list, an index that repeats a unique
/// constraint, names of indexes, the server's indexes that only its own statements read.
const COLUMNS: &str = "
    SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull AND a.attname <> 'runtime_id',
        CASE WHEN (c.relname, a.attname) NOT IN (('agent', 'runtime_mode'), ('autopilot_run', 'status'))
            THEN pg_get_expr(d.adbin, d.adrelid) END)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($TABLES)
        AND c.relname || '.' || a.attname <> ALL ($LATER) ORDER BY 1";
const CONSTRAINTS: &str = "
    SELECT format('%s %s', c.relname, regexp_replace(
        regexp_replace(pg_get_constraintdef(k.oid), 'ARRAY\\[''([^]]*)''::text\\]', '''{\\1}''::text[]', 'g'), '''::text, ''', ',', 'g'))
    FROM pg_class AS c JOIN pg_constraint AS k ON k.conrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($TABLES)
        AND k.contype IN ('p', 'u', 'f', 'c')
        AND (k.contype <> 'f' OR (SELECT relname FROM pg_class WHERE oid = k.confrelid) = ANY ($TABLES))
        AND k.conname NOT IN ('agent_task_queue_status_check', 'agent_task_queue_active_requires_runtime',
            'agent_task_queue_accountable_matches_originator', 'chat_session_runtime_id_fkey') ORDER BY 1";
const INDEXES: &str = "
    SELECT DISTINCT regexp_replace(regexp_replace(
        regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX \\S+ ', 'INDEX '),
        'ARRAY\\[''([^]]*)''::text\\]', '''{\\1}''::text[]', 'g'), '''::text, ''', ',', 'g')
    FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid JOIN pg_class AS x ON x.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($TABLES)
        AND x.relname NOT LIKE 'multica%' AND x.relname <> 'idx_issue_workspace_number'
        AND x.relname !~ '^idx_agent_task_queue_(pending|runtime_pending|chat_pending|issue|issue_id|parent)$' ORDER BY 1";
/// What later migrations of the server made, and the newest generation has.
const LATER: &str = "'{agent_runtime.custom_name,chat_session.runtime_id,autopilot.pause_reason,\
                     agent_task_queue.trigger_summary,agent_task_queue.force_fresh_session,agent_task_queue.wait_reason,\
                     agent_task_queue.prepare_lease_expires_at,agent_task_queue.escalation_for_task_id,\
                     agent_task_queue.fire_at,agent_task_queue.originator_user_id,agent_task_queue.coalesced_comment_ids,\
                     agent_task_queue.chat_input_task_id,agent_task_queue.originator_source,\
                     agent_task_queue.delegated_from_task_id,agent_task_queue.retry_of_task_id,\
                     agent_task_queue.rerun_of_task_id,agent_task_queue.rule_version_id,\
                     agent_task_queue.trigger_evidence_kind,agent_task_queue.trigger_evidence_ref_id,\
                     agent_task_queue.accountable_user_id,agent_task_queue.session_rollout_missing,\
                     agent_task_queue.retired_session_id,agent_task_queue.branch_name,\
                     agent_task_queue.durable_work_dir}'::text[]";
const TABLES: &str = "'{workspace,user,member,agent,agent_runtime,issue,comment,chat_session,chat_message,autopilot,\
                      autopilot_run,agent_task_queue}'::text[]";

/// Code for the server's tables works on created tables only if they are the same.
pub fn created_tables_match_server_tables(context: &Context) -> Result<()> {
    let created = context.fresh_database()?;
    let servers = server(context, "")?;
    let (mut created, mut servers) = (created.connect()?, servers.connect()?);
    for (what, query) in [("columns", COLUMNS), ("constraints", CONSTRAINTS), ("indexes", INDEXES)] {
        let query = query.replace("$TABLES", TABLES).replace("$LATER", LATER);
        let expected = lines(&mut servers, &query)?;
        ensure!(expected.len() > 12, "the query finds too few {what}");
        same(what, &lines(&mut created, &query)?, &expected)?;
    }
    Ok(())
}

/// What later migrations added is the same in created tables as in the newest generation, so that code for the newest
/// server works on created tables.
pub fn created_later_columns_match_newest_generation(context: &Context) -> Result<()> {
    let newest = context.generations()?.all().last().context("a generation")?.name.clone();
    let (created, servers) = (context.fresh_database()?, context.generation_with_rows(&newest)?);
    let (mut created, mut servers) = (created.connect()?, servers.connect()?);
    let columns = COLUMNS.replace("$TABLES", TABLES).replace("<> ALL ($LATER)", &format!("= ANY ({LATER})"));
    let expected = lines(&mut servers, &columns)?;
    ensure!(expected.len() == 24, "the newest generation has {} of the columns", expected.len());
    same("columns", &lines(&mut created, &columns)?, &expected)?;
    let constraints =
        "SELECT replace(pg_get_constraintdef(oid), ' NOT VALID', '') FROM pg_constraint WHERE conname IN (
        'agent_task_queue_active_requires_runtime', 'agent_task_queue_accountable_matches_originator',
        'chat_session_runtime_id_fkey') ORDER BY 1";
    let expected = lines(&mut servers, constraints)?;
    ensure!(expected.len() == 3, "the newest generation has {expected:?}");
    same("constraints", &lines(&mut created, constraints)?, &expected)
}

/// Repeated calls in other sessions change no row of the catalogue, at any isolation level.
pub fn second_install_writes_nothing(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let before = catalogue(&mut database.connect()?)?;
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let mut client = database.connect()?;
        client.batch_execute(&format!("SET default_transaction_isolation = '{isolation}'"))?;
        all_adopted(&install(&mut client)?)?;
        same("the catalogues", &catalogue(&mut client)?, &before)?;
    }
    let leftover: i64 = value(&mut database.connect()?, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'")?;
    ensure!(leftover == 0, "{leftover} temporary relations are left");
    Ok(())
}

/// A dry run changes nothing; after its statements are run in their order, install has nothing left to do.
pub fn dry_run_lists_all_and_changes_nothing(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute("CREATE EXTENSION multica")?;
    let before = catalogue(&mut client)?;
    let planned = dry_run(&mut client)?;
    same("the catalogues", &catalogue(&mut client)?, &before)?;
    ensure!(
        with_action(&planned, "created").len() == planned.len(),
        "the dry run plans more than creations: {planned:?}"
    );
    for step in &planned {
        client.batch_execute(step.ddl.as_deref().unwrap_or_default())?;
    }
    all_adopted(&install(&mut client)?)?;
    Ok(())
}

/// Tables that install creates have defaults for three columns that the server's own code fills.
pub fn defaults_fill_number_mode_and_status(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    database.fixture("fleet")?;
    let mut client = database.connect()?;
    // The trigger must find its tables with any search_path, and without the extension.
    client.batch_execute("DROP EXTENSION multica; SET search_path = ''")?;
    let numbers: Vec<i32> = client
        .query(
            "INSERT INTO public.issue (workspace_id, title, creator_type, creator_id)
             SELECT w.id, 'new', 'member', u.id FROM public.workspace AS w, public.\"user\" AS u, generate_series(1, 2)
             RETURNING number",
            &[],
        )?
        .iter()
        .map(|row| row.get(0))
        .collect();
    ensure!(numbers == [4, 5], "numbers do not continue after 3: {numbers:?}");
    let explicit: i32 = value(
        &mut client,
        "INSERT INTO public.issue (workspace_id, title, creator_type, creator_id, number)
         SELECT w.id, 'numbered', 'member', u.id, 90 FROM public.workspace AS w, public.\"user\" AS u RETURNING number",
    )?;
    ensure!(explicit == 90, "the explicit number was changed to {explicit}");
    client.batch_execute(
        "INSERT INTO public.agent (workspace_id, name, runtime_id)
         SELECT workspace_id, 'third', id FROM public.agent_runtime LIMIT 1;
         INSERT INTO public.autopilot (workspace_id, title, assignee_id, created_by_type, created_by_id)
         SELECT workspace_id, 'nightly', id, 'agent', id FROM public.agent LIMIT 1;
         INSERT INTO public.autopilot_run (autopilot_id, source) SELECT id, 'manual' FROM public.autopilot",
    )?;
    Ok(())
}

/// Tables of the same names in public are ignored if the extension is installed in another schema.
pub fn install_in_own_schema_ignores_public(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE TABLE member (card integer); CREATE TABLE issue (volume integer);
         CREATE SCHEMA \"Fleet of one\"; CREATE EXTENSION multica SCHEMA \"Fleet of one\"",
    )?;
    let before = catalogue(&mut client)?;
    let call = "SELECT count(*) FROM \"Fleet of one\".multica_install() WHERE action <> $1";
    let created: i64 = client.query_one(call, &[&"adopted"])?.get(0);
    ensure!(created > 40, "only {created} objects were created");
    same("the catalogues", &catalogue(&mut client)?, &before)?;
    let not_adopted: i64 = client.query_one(call, &[&"adopted"])?.get(0);
    ensure!(not_adopted == 0, "{not_adopted} objects were not adopted");
    Ok(())
}

/// An error inside install is an ordinary error. The caller's handler rolls back the caller's block, and earlier
/// changes of the caller stay.
pub fn install_error_rolls_back_only_callers_block(context: &Context) -> Result<()> {
    let database = context.empty_database()?;
    let mut client = database.connect()?;
    client.batch_execute(
        "CREATE EXTENSION multica; CREATE TABLE kept (id integer);
         CREATE TEMPORARY TABLE issue (taken boolean)",
    )?;
    client.batch_execute(
        "DO $$ BEGIN
             INSERT INTO kept VALUES (1);
             BEGIN
                 INSERT INTO kept VALUES (2);
                 PERFORM multica_install();
                 RAISE 'install succeeded although a temporary table has the name of one of its tables';
             EXCEPTION WHEN duplicate_table THEN NULL;
             END;
             INSERT INTO kept VALUES (3);
         END $$",
    )?;
    let kept: Vec<i32> = value(&mut client, "SELECT array_agg(id ORDER BY id) FROM kept")?;
    ensure!(kept == [1, 3], "kept {kept:?}");
    client.batch_execute("DROP TABLE pg_temp.issue")?;
    ensure!(!install(&mut client)?.is_empty(), "install returned nothing after the error");
    Ok(())
}

/// Every object of the extension has a comment, which users see with \df+ and \dd. Array types, which are members from
/// version 17 on, need none.
pub fn every_object_has_a_comment(context: &Context) -> Result<()> {
    let database = context.fresh_database()?;
    let uncommented = lines(
        &mut database.connect()?,
        "SELECT pg_describe_object(d.classid, d.objid, 0)
         FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'multica'
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
             AND obj_description(d.objid, d.classid::regclass::name) IS NULL
             AND NOT (d.classid = 'pg_type'::regclass AND d.objid IN (SELECT typarray FROM pg_type))
         UNION ALL
         SELECT oid::regclass::text FROM pg_class
         WHERE relname LIKE 'multica%' AND relkind = 'r' AND obj_description(oid, 'pg_class') IS NULL
         ORDER BY 1",
    )?;
    ensure!(uncommented.is_empty(), "without a comment: {uncommented:#?}");
    Ok(())
}
