//! The functions of the fixtures behave like the server's functions. Some are called by the extension, and others by
//! triggers that the extension's statements fire.

use anyhow::{Result, ensure};

use super::super::support::{expect, value};
use crate::context::Context;

/// The runtimes whose hours are marked to be summed up again.
const RUNTIMES: &str = "SELECT string_agg(DISTINCT r.name, ',')
    FROM task_usage_hourly_dirty AS d JOIN agent_runtime AS r ON r.id = d.runtime_id";

/// The projects whose hours are marked to be summed up again.
const PROJECTS: &str = "SELECT string_agg(DISTINCT p.title, ',')
    FROM task_usage_hourly_dirty AS d JOIN project AS p ON p.id = d.project_id";

/// Changes of rows, each with a query and the runtimes or projects whose hours are marked: the old one and the new one.
const CHANGES: [(&str, &str, &str); 5] = [
    (
        "UPDATE agent_task_queue SET runtime_id = md5('runtime renamed')::uuid WHERE id = md5('task completed')::uuid",
        RUNTIMES,
        "online,renamed",
    ),
    ("DELETE FROM agent_task_queue WHERE id = md5('task completed')::uuid", RUNTIMES, "renamed"),
    (
        "UPDATE issue SET project_id = md5('project 2')::uuid WHERE id = md5('issue lost its runtime')::uuid",
        PROJECTS,
        "Project 1,Project 2",
    ),
    ("DELETE FROM issue WHERE id = md5('issue lost its runtime')::uuid", PROJECTS, "Project 2"),
    ("DELETE FROM task_usage WHERE task_id = md5('task running')::uuid", RUNTIMES, "online"),
];

pub fn usage_of_changed_task_is_summed_up_again(context: &Context) -> Result<()> {
    for generation in ["109", "251", "397"] {
        let database = context.generation_with_rows(generation)?;
        let mut client = database.connect()?;
        for (change, marked, expected) in CHANGES {
            client.batch_execute(&format!("TRUNCATE task_usage_hourly_dirty; {change}"))?;
            expect(&mut client, marked, expected)?;
        }
    }
    Ok(())
}

pub fn secrets_are_deleted_at_end_of_task(context: &Context) -> Result<()> {
    for (generation, columns) in
        [("128", "runtime_mcp_overlay"), ("397", "runtime_mcp_overlay, runtime_connected_apps")]
    {
        let database = context.generation_with_rows(generation)?;
        let mut client = database.connect()?;
        let secrets =
            format!("SELECT num_nonnulls({columns}) FROM agent_task_queue WHERE id = md5('task running')::uuid");
        let before = columns.split(',').count().to_string();
        client.batch_execute("UPDATE agent_task_queue SET status = 'running' WHERE id = md5('task running')::uuid")?;
        expect(&mut client, &secrets, &before)?;
        client.batch_execute("UPDATE agent_task_queue SET status = 'failed' WHERE id = md5('task running')::uuid")?;
        expect(&mut client, &secrets, "0")?;
    }
    Ok(())
}

pub fn owner_rows_are_looked_for(context: &Context) -> Result<()> {
    let database = context.generation_with_rows("284")?;
    let mut client = database.connect()?;
    let (agent, issue) = ("md5('agent worker')::uuid", "md5('issue waits')::uuid");
    let (runtime, missing) = ("md5('runtime online')::uuid", "md5('nothing')::uuid");
    for (arguments, expected) in [
        (format!("{agent}, {issue}, {runtime}"), "t"),
        (format!("{agent}, NULL, {runtime}"), "t"),
        ("NULL, NULL, NULL".to_string(), "t"),
        (format!("{missing}, {issue}, {runtime}"), "f"),
        (format!("{agent}, {missing}, {runtime}"), "f"),
        (format!("{agent}, {issue}, {missing}"), "f"),
    ] {
        expect(&mut client, &format!("SELECT lock_task_owner_rows({arguments})"), expected)?;
    }
    Ok(())
}

pub fn status_of_workspace_has_category(context: &Context) -> Result<()> {
    let database = context.generation_with_rows("344")?;
    let mut client = database.connect()?;
    for (status, category) in
        [("todo", "todo"), ("in_testing", "in_progress"), ("on_hold", "in_progress"), ("unheard_of", "unheard_of")]
    {
        let call = format!("SELECT issue_effective_status(md5('workspace 1')::uuid, '{status}')");
        expect(&mut client, &call, category)?;
    }
    expect(&mut client, "SELECT issue_effective_status(md5('workspace 2')::uuid, 'in_testing')", "in_testing")
}

pub fn message_of_other_revision_keeps_its_task(context: &Context) -> Result<()> {
    let database = context.generation_with_rows("397")?;
    let mut client = database.connect()?;
    for (revision, taken) in [(1, "f"), (2, "t")] {
        let task = value(
            &mut client,
            &format!(
                "UPDATE chat_message SET task_id = md5('task of revision {revision}')::uuid
                 WHERE id = md5('message of the channel')::uuid RETURNING task_id IS NOT NULL"
            ),
        )?;
        ensure!(task == taken, "a task of revision {revision} takes the message: {task}");
    }
    Ok(())
}
