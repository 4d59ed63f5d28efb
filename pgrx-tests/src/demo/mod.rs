//! `cargo demo`: machines of a fleet die in three ways, and the database sets right what they leave behind.

mod checks;
mod daemon;
mod timeline;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::Client;
use uuid::Uuid;

use crate::cluster::{Cluster, Options, remove_kept, remove_leftovers};
use crate::extension::{self, Variant};
use crate::project::Project;
use crate::{tools, verify};
use daemon::Daemon;
pub use daemon::{Identity, live};
use timeline::{Event, Timeline};

/// What the command line asks of a demo.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Leave the cluster running and say how to look at it
    #[arg(long)]
    keep: bool,
    /// Only end the clusters that earlier runs of this checkout have kept
    #[arg(long)]
    stop: bool,
}

const DATABASE: &str = "fleet";
const WORKSPACE: Uuid = Uuid::from_u128(0x00000000_0000_4000_8000_00000000000a);
/// Generous: on a busy machine a sweep may come late, and the story is the same.
const LIMIT: Duration = Duration::from_secs(30);

/// Tells the story and checks it.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    if arguments.stop {
        println!("{} kept cluster(s) ended", remove_kept(project)?);
        return Ok(ExitCode::SUCCESS);
    }
    let copy = {
        let _lock = project.lock()?;
        remove_leftovers(project)?;
        let tools = tools::ensure(project, verify::MAJOR)?;
        extension::install(project, &tools, Variant::Dev)?
    };
    let started = Instant::now();
    let options = Options::new("demo").set("multica.sweep_interval", "1s");
    let mut cluster = Cluster::create(project, &copy, &options)?;
    println!("A private cluster is up, with the library preloaded and a sweep every second.");
    let mut client = prepare(&cluster)?;
    let mut timeline = Timeline::new(cluster.connect(DATABASE)?);
    let told = tell(project, &cluster, &mut client, &mut timeline);
    let told =
        told.and_then(|mut fleet| checks::run(project, &mut client, &timeline.events, &mut fleet));
    if let Err(error) = &told {
        println!("\nThe story is not true: {error:#}");
        println!("\nThe end of the server's log:\n{}", tail(&cluster.log()?));
    }
    println!("\nTold in {:.1} s.", started.elapsed().as_secs_f64());
    if arguments.keep {
        let psql = copy.program("psql");
        println!(
            "\nThe cluster stays and is swept; its machines end with this process. Look around:\n  {} -h {} -U postgres {DATABASE}",
            psql.display(),
            cluster.socket_folder().display()
        );
        println!("End it:\n  cargo demo --stop");
        cluster.keep()?;
    }
    Ok(if told.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// From an empty database to one that is swept, in the statements a user would type.
fn prepare(cluster: &Cluster) -> Result<Client> {
    let statement = |client: &mut Client, sql: &str| -> Result<()> {
        println!("  {sql};");
        client.batch_execute(sql).with_context(|| sql.to_string())
    };
    let mut server = cluster.connect("postgres")?;
    statement(&mut server, "CREATE DATABASE fleet")?;
    let mut client = cluster.connect(DATABASE)?;
    statement(&mut client, "CREATE EXTENSION multica")?;
    statement(&mut client, "SELECT * FROM multica_install()")?;
    statement(&mut server, "ALTER DATABASE fleet SET multica.sweep = on")?;
    statement(
        &mut server,
        "ALTER DATABASE fleet SET multica.stale_after = '3s'",
    )?;
    cluster.connect(DATABASE)
}

/// The daemons that are to be alive when the story ends.
struct Fleet {
    survivors: Vec<(&'static str, Daemon)>,
}

fn tell(
    project: &Project,
    cluster: &Cluster,
    client: &mut Client,
    timeline: &mut Timeline,
) -> Result<Fleet> {
    let fixture = |name: &str| -> Result<String> {
        Ok(std::fs::read_to_string(
            project
                .harness()
                .join("fixtures")
                .join(format!("{name}.sql")),
        )?)
    };
    client.batch_execute(&fixture("demo_team")?)?;
    let machine =
        |id: &str, provider: &str| Identity::new(cluster, DATABASE, WORKSPACE, id, provider);

    timeline.act("Four machines register and heartbeat, each a process of its own.");
    let mut laptop = Daemon::start(&machine("anna-laptop", "claude"))?;
    let mut box_before = Daemon::start(&machine("build-box", "codex"))?;
    let mut eva_before = Daemon::start(&machine("eva.local", "claude"))?;
    let rack = Daemon::start(&machine("rack-7", "claude"))?;
    timeline.until("four registrations", LIMIT, |events| {
        count(events, "daemon:register", "register") == 4
    })?;

    timeline.act("Their agents get to work: six issues, five tasks in flight, sessions pinned.");
    client.batch_execute(&fixture("demo_work")?)?;
    let eves_task: Uuid = client
        .query_one(
            "SELECT t.id FROM agent_task_queue AS t WHERE t.session_id = 'session-eve-4'",
            &[],
        )?
        .get(0);

    timeline.act(&format!(
        "anna-laptop dies: SIGKILL to process {}. Nobody says goodbye.",
        laptop.pid()
    ));
    laptop.kill()?;

    timeline.act(&format!(
        "build-box crashes (process {}) and is back before anybody could miss it.",
        box_before.pid()
    ));
    box_before.kill()?;
    let build_box = Daemon::start(&machine("build-box", "codex").recovering())?;
    timeline.until("the orphan of build-box", LIMIT, |events| {
        failed(events, "runtime_recovery") == 1
    })?;

    timeline.act("eva.local comes back under a new identity, its agent still at work.");
    eva_before.kill()?;
    let eva = Daemon::start(&machine("eva.local", "claude").renamed("machine-5f1e", eves_task))?;

    timeline.until("the new identity of eva.local", LIMIT, |events| {
        count(events, "daemon:register", "register") == 6
    })?;

    timeline.act("The background worker misses anna-laptop's heartbeats.");
    timeline.until("the tasks of anna-laptop", LIMIT, |events| {
        failed(events, "runtime_offline") == 2
    })?;
    Ok(Fleet {
        survivors: vec![
            ("build-box", build_box),
            ("machine-5f1e", eva),
            ("rack-7", rack),
        ],
    })
}

fn count(events: &[Event], kind: &str, action: &str) -> usize {
    events
        .iter()
        .filter(|event| {
            event.kind == kind && event.payload["action"].as_str().unwrap_or("register") == action
        })
        .count()
}

fn failed(events: &[Event], reason: &str) -> usize {
    events
        .iter()
        .filter(|event| event.kind == "task:failed" && event.payload["failure_reason"] == reason)
        .count()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
