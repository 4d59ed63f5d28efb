//! The machine and server of a measurement, without which its figures mean nothing.

use std::fs;
use std::thread;

use anyhow::Result;
use multica_harness::cluster::Cluster;
use multica_harness::database::TEMPLATE;
use multica_harness::speed::Machine;

/// Settings on which the speed of a server depends.
const SETTINGS: [&str; 9] = [
    "shared_buffers",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "max_wal_size",
    "wal_level",
    "autovacuum",
    "jit",
    "max_parallel_workers_per_gather",
];

/// Returns this machine and this server.
pub fn of(cluster: &Cluster) -> Result<Machine> {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = field(&processors, "model name").unwrap_or("unknown processor");
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: u64 =
        field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_default();
    let mut client = cluster.connect("postgres")?;
    let mut setting =
        |name: &str| -> Result<String> { Ok(client.query_one("SELECT current_setting($1)", &[&name])?.get(0)) };
    let settings = SETTINGS.iter().map(|name| Ok((name.to_string(), setting(name)?))).collect::<Result<_>>()?;
    let postgres = setting("server_version")?;
    let multica = cluster.connect(TEMPLATE)?.query_one("SELECT multica_version()", &[])?.get(0);
    let date = client.query_one("SELECT current_date::text", &[])?.get(0);
    Ok(Machine {
        date,
        processor: processor.to_string(),
        cores: thread::available_parallelism().map_or(0, usize::from),
        memory: kilobytes.div_ceil(1 << 20),
        postgres,
        multica,
        settings,
    })
}

/// Prints the machine and the settings.
pub fn print(machine: &Machine) {
    println!("{}", machine.line());
    println!("Optimized build; clients and server on one machine, over a Unix socket");
    for (name, value) in &machine.settings {
        println!("  {name} = {value}");
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':')).map(|(_, value)| value.trim())
}
