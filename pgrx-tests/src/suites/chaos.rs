//! A short run of `cargo chaos`.

use anyhow::Result;

use super::Suite;
use super::storm::given_seed;
use crate::chaos::{Arguments, run_plan};
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![ten_kills_of_the_server_lose_nothing];

fn ten_kills_of_the_server_lose_nothing(context: &Context) -> Result<()> {
    let report = run_plan(context, &Arguments::new(10, given_seed()?))?;
    for line in report.lines() {
        println!("      {line}");
    }
    Ok(())
}
