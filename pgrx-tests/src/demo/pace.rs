//! How fast the demo is: with the defaults of all thresholds, or quick.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;

/// The times that the demo chooses.
pub struct Pace {
    /// Pause between two rounds of a daemon, in milliseconds. A round has one step of each task.
    pub round: u64,
    /// Time between two heartbeats of a daemon, in milliseconds.
    pub heartbeat: u64,
    /// How long the demo lets the reader look at a verdict before a machine comes back.
    pub pause: Duration,
    /// How long the story takes.
    pub lasts: &'static str,
    /// How long the story may take. It is generous, because a busy machine is slow.
    pub limit: Duration,
    /// What is set for the database besides `multica.sweep`, and why.
    pub settings: &'static [(&'static str, &'static str, &'static str)],
    /// Whether the thresholds are shorter than the defaults.
    pub is_quick: bool,
}

/// All thresholds have their defaults. One stage that is off by default is switched on.
pub const DEFAULT: Pace = Pace {
    round: 1000,
    heartbeat: 5000,
    pause: Duration::from_secs(5),
    lasts: "two minutes",
    limit: Duration::from_secs(240),
    settings: &[("multica.idle_timeout", "30s", "off by default; choose minutes in use")],
    is_quick: false,
};

/// The same story with short thresholds.
pub const QUICK: Pace = Pace {
    round: 400,
    heartbeat: 500,
    pause: Duration::from_secs(1),
    lasts: "15 seconds",
    limit: Duration::from_secs(60),
    settings: &[
        ("multica.idle_timeout", "5s", "off by default; choose minutes in use"),
        ("multica.stale_after", "5s", "quick: the default is 45 s"),
        ("multica.lost_after", "5s", "quick: the default is 90 s"),
    ],
    is_quick: true,
};

/// What `multica.sweep_interval` is in a quick demo.
pub const QUICK_SWEEP_INTERVAL: &str = "1s";

const IN_FORCE: &str = "SELECT extract(epoch FROM stale_after)::integer || 's', current_setting('multica.lost_after'),
                               current_setting('multica.idle_timeout'), current_setting('multica.sweep_interval')
                        FROM multica_status()";

impl Pace {
    /// Prints the thresholds in force, each with its setting.
    pub fn print_thresholds(&self, client: &mut Client) -> Result<()> {
        let row = client.query_one(IN_FORCE, &[])?;
        let value = |column: usize| row.get::<_, String>(column);
        let (waits, is_default) = if self.is_quick {
            ("These thresholds are in force", "")
        } else {
            ("All other settings have their defaults, so the waits of this demo are real", ", the default")
        };
        println!("\n{waits}:");
        println!("  A machine that is silent for {} is offline (multica.stale_after{is_default}).", value(0));
        println!("  A task that its daemon does not name for {} is lost (multica.lost_after{is_default}).", value(1));
        println!("  A task that has reported progress, and then none for {}, hangs (multica.idle_timeout).", value(2));
        println!(
            "  The worker sweeps every {}, and when a silent machine is due (multica.sweep_interval{is_default}).",
            value(3)
        );
        Ok(())
    }
}
