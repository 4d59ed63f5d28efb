//! `cargo test`: the tests of the home version of Postgres. `cargo verify` adds the lints and the other versions.

use std::process::ExitCode;

use multica_harness::{enter, verify};

fn main() -> ExitCode {
    enter().and_then(|project| verify::test(&project)).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}
