//! The time for which a process has had a processor, on a kernel that counts it.

use anyhow::{Context as _, Result};
use postgres::Client;

/// The process of the server that works for a session.
pub struct Processor {
    file: String,
}

impl Processor {
    /// Finds the process of the session.
    pub fn of(client: &mut Client) -> Result<Self> {
        let process: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        Ok(Self { file: format!("/proc/{process}/schedstat") })
    }

    /// Returns for how many microseconds the process has had a processor.
    pub fn microseconds(&self) -> Result<f64> {
        let text = std::fs::read_to_string(&self.file).with_context(|| format!("cannot read {}", self.file))?;
        let first = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
        Ok(first.with_context(|| format!("{} contains {text}", self.file))? / 1000.0)
    }
}
