//! The commands of the harness: `cargo demo`, `cargo verify` and `cargo mutations` are aliases for some of them.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use multica_harness::{chaos, demo, enter, mutations, package, project, release, tools, verify};

#[derive(Parser)]
#[command(name = "multica-harness", about = "Private clusters around the multica extension")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install what builds and clusters need
    Setup,
    /// Show what happens to the tasks of machines that crash
    Demo(demo::Arguments),
    /// A daemon of the demo, started by the demo
    #[command(hide = true)]
    Daemon(demo::Identity),
    /// Run every test: format, lints, test functions, golden files, isolation specs, suites
    Verify(verify::Options),
    /// Kill servers, sessions and clients under load, and check the rows afterwards
    Chaos(chaos::Arguments),
    /// Break one guard of the extension after the other, and show which test fails
    Mutations(mutations::Arguments),
    /// Store the install script of this version, and a database made by it, as fixtures for updates of later versions
    Release,
    /// Make a Debian package for one major version of Postgres
    PackageDeb(package::Arguments),
}

fn main() -> ExitCode {
    run(Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("\n{error:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Setup => {
            let project = enter()?;
            let _lock = project.lock()?;
            let tools = tools::ensure(&project, project::MAJOR)?;
            println!("{}, cargo-pgrx at {}", tools.server.version, tools.cargo_pgrx.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(arguments) => demo::run(&enter()?, &arguments),
        Command::Daemon(identity) => demo::run_daemon(&identity).map(|never| match never {}),
        Command::Verify(options) => verify::run(&enter()?, &options),
        Command::Chaos(arguments) => chaos::run(&enter()?, &arguments),
        Command::Mutations(arguments) => mutations::run(&enter()?, &arguments),
        Command::Release => release::freeze(&enter()?),
        Command::PackageDeb(arguments) => package::run(&enter()?, &arguments),
    }
}
