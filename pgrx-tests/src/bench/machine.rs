//! Where the figures come from: without it they say nothing.

use std::fs;
use std::thread;

use anyhow::Result;

use crate::cluster::Cluster;

/// Settings that decide how fast a server is.
const SETTINGS: [&str; 6] = [
    "server_version",
    "shared_buffers",
    "fsync",
    "synchronous_commit",
    "max_wal_size",
    "jit",
];

/// Prints hardware, versions and settings.
pub fn describe(cluster: &Cluster) -> Result<()> {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1))
        .map_or("unknown processor", str::trim);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!("Machine: {cores} cores, {model}");
    println!(
        "multica {}, optimized build; everything on one machine over a Unix socket",
        env!("CARGO_PKG_VERSION")
    );
    let mut client = cluster.connect("postgres")?;
    for name in SETTINGS {
        let value: String = client
            .query_one("SELECT current_setting($1)", &[&name])?
            .get(0);
        println!("  {name} = {value}");
    }
    Ok(())
}
