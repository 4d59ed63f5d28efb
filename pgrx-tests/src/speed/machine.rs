//! The machine and server of a measurement, without which its figures mean nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Hardware, versions, settings and day of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Day of the run.
    pub date: String,
    /// Model of the processor.
    pub processor: String,
    /// Number of processors that the run may use.
    pub cores: usize,
    /// Memory in GiB.
    pub memory: u64,
    /// Version of the server.
    pub postgres: String,
    /// Version of the extension.
    pub multica: String,
    /// Settings of the server.
    pub settings: BTreeMap<String, String>,
}

impl Machine {
    /// Returns a description in one line, which is printed below each chart.
    pub fn line(&self) -> String {
        format!(
            "{}, {} cores of {}, {} GiB; Postgres {}, multica {}",
            self.date, self.cores, self.processor, self.memory, self.postgres, self.multica
        )
    }
}
