//! What a cluster is started with.

use std::path::Path;

/// Name and settings of a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// Part of its folder's name.
    pub name: String,
    pub(super) initdb: Vec<String>,
    pub(super) disk: Option<u32>,
    settings: Vec<(String, String)>,
}

impl Options {
    /// A cluster with the library preloaded. Writes are not flushed: a crash of the machine is nothing to survive here,
    /// and killed processes lose nothing of what the kernel has.
    pub fn new(name: &str) -> Options {
        let settings = [
            ("listen_addresses", ""),
            ("shared_preload_libraries", "multica"),
            ("fsync", "off"),
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("lc_messages", "C"),
            ("datestyle", "ISO, MDY"),
            ("log_line_prefix", "%m [%p] %q%u@%d %a "),
            ("max_connections", "100"),
            ("max_prepared_transactions", "10"),
            ("shared_buffers", "64MB"),
            ("wal_level", "replica"),
            ("hot_standby", "on"),
        ];
        let settings = settings
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        Options {
            name: name.to_string(),
            initdb: Vec::new(),
            disk: None,
            settings,
        }
    }

    /// Sets or replaces one setting.
    pub fn set(mut self, name: &str, value: &str) -> Options {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_string(), value.to_string()));
        self
    }

    /// Gives initdb one more argument.
    pub fn initdb(mut self, argument: &str) -> Options {
        self.initdb.push(argument.to_string());
        self
    }

    /// Relations are on a filesystem of so many megabytes, where that can be had.
    pub fn on_small_disk(mut self, megabytes: u32) -> Options {
        self.disk = Some(megabytes);
        self
    }

    /// The contents of postgresql.conf.
    pub(super) fn file(&self, socket_folder: &Path) -> String {
        let mut text = format!(
            "port = {}\nunix_socket_directories = '{}'\n",
            super::PORT,
            socket_folder.display()
        );
        for (name, value) in &self.settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        text
    }
}
