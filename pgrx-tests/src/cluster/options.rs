//! The settings and arguments with which a cluster is started.

use std::path::Path;

/// Every setting in which all clusters differ from a freshly initialized one, and the reason. The port and the socket
/// folder are set separately for each cluster.
const NECESSARY: [(&str, &str, &str); 2] = [
    ("listen_addresses", "", "no cluster is reachable from the network"),
    ("shared_preload_libraries", "multica", "the background worker needs it"),
];

/// Every other setting in which clusters of tests and the bench differ from a freshly initialized one, and the reason. None
/// of them changes how a statement is planned.
const DEVIATIONS: [(&str, &str, &str); 7] = [
    ("fsync", "off", "killed processes lose nothing that the kernel has, and no test crashes the machine"),
    ("timezone", "UTC", "expected output has times in it"),
    ("log_timezone", "UTC", "lines of the log are compared with times of the database"),
    ("lc_messages", "C", "tests compare messages"),
    ("log_line_prefix", "%m [%p] %q%u@%d %a ", "tests look for lines of one database or application"),
    ("multica.hold_verdicts", "off", "tests silence runtimes of servers that have just started, and expect a verdict"),
    ("max_prepared_transactions", "10", "prepared transactions are tested, and none are allowed otherwise"),
];

/// Name and settings of a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// A part of the name of the cluster's folder.
    pub name: String,
    pub(super) initdb: Vec<String>,
    pub(super) disk: Option<u32>,
    pub(super) environment: Vec<(String, String)>,
    settings: Vec<(String, String)>,
}

impl Options {
    /// Returns the options of a cluster with the library preloaded, which differs from a freshly initialized one only
    /// in [`NECESSARY`] and [`DEVIATIONS`].
    pub fn new(name: &str) -> Options {
        DEVIATIONS.iter().fold(Options::with_defaults(name), |options, (name, value, _)| options.set(name, value))
    }

    /// Returns the options of a cluster with the library preloaded, which differs from a freshly initialized one only
    /// in [`NECESSARY`].
    pub fn with_defaults(name: &str) -> Options {
        let settings = NECESSARY.iter().map(|(name, value, _)| (name.to_string(), value.to_string())).collect();
        Options { name: name.to_string(), initdb: Vec::new(), disk: None, environment: Vec::new(), settings }
    }

    /// Sets or replaces one setting.
    pub fn set(mut self, name: &str, value: &str) -> Options {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_string(), value.to_string()));
        self
    }

    /// Adds an argument for initdb.
    pub fn initdb(mut self, argument: &str) -> Options {
        self.initdb.push(argument.to_string());
        self
    }

    /// Adds a variable to the environment of the server, which otherwise contains only PATH and LC_ALL.
    pub fn environment(mut self, name: &str, value: &str) -> Options {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// Puts the relations on a filesystem of this many megabytes, if that is possible on this machine.
    pub fn on_small_disk(mut self, megabytes: u32) -> Options {
        self.disk = Some(megabytes);
        self
    }

    /// Returns the settings as a file that postgresql.conf includes.
    pub(super) fn file(&self, socket_folder: &Path) -> String {
        let mut text = format!("port = {}\nunix_socket_directories = '{}'\n", super::PORT, socket_folder.display());
        for (name, value) in &self.settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        text
    }
}
