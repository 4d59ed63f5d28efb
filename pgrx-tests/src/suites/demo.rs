//! `cargo demo`, as a newcomer runs it.

use std::process::Command;

use anyhow::{Result, ensure};

use super::Suite;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![its_story_is_true_whatever_the_dice_say,];

fn its_story_is_true_whatever_the_dice_say(context: &Context) -> Result<()> {
    let output = Command::new(std::env::current_exe()?)
        .arg("demo")
        .env("MULTICA_WORK", &context.project.work)
        .output()?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
