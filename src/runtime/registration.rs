//! What a daemon says when it registers, read into typed structs and checked as a whole before anything is written.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::registry::STATUSES;
use crate::argument::{not_blank, one_of};
use crate::error::{Error, Result};

/// The JSON document of a registration. Unknown keys are ignored: a newer daemon may say more.
#[derive(Deserialize)]
pub struct Registration {
    /// Identity of the machine.
    pub daemon_id: String,
    /// Its earlier identities.
    #[serde(default)]
    pub legacy_daemon_ids: Vec<String>,
    #[serde(default)]
    device_name: Option<String>,
    #[serde(default)]
    cli_version: Option<String>,
    #[serde(default)]
    launched_by: Option<String>,
    /// Whether what the previous process left in flight is failed.
    #[serde(default)]
    pub recover: bool,
    #[serde(default)]
    runtimes: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    running: Vec<uuid::Uuid>,
}

/// One runtime of a registration, its names resolved.
pub struct Named {
    /// Provider: the type given, or 'unknown'.
    pub provider: String,
    /// Display name.
    pub name: String,
    /// 'online' unless the daemon says 'offline'.
    pub status: String,
    /// Device and version, as far as known.
    pub device_info: String,
    /// The metadata object, as JSON text.
    pub metadata: String,
}

/// Blank and absent are the same, and blanks around a word mean nothing.
fn trimmed(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default().trim()
}

impl Registration {
    /// Reads and checks a registration; 22023 names the path of what is wrong.
    pub fn read(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| malformed("registration".into(), &error.to_string()))?;
        objects_only(&document)?;
        let mut registration: Self =
            serde_path_to_error::deserialize(document).map_err(|error| {
                let path = format!("registration.{}", error.path());
                malformed(path, &error.into_inner().to_string())
            })?;
        registration.daemon_id = registration.daemon_id.trim().to_string();
        not_blank("registration.daemon_id", &registration.daemon_id)?;
        registration.legacy_daemon_ids = registration
            .legacy_daemon_ids
            .iter()
            .map(|id| id.trim().to_string())
            .filter(|id| !id.is_empty() && *id != registration.daemon_id)
            .collect();
        if registration.runtimes.is_empty() {
            return Err(Error::invalid(
                "registration.runtimes",
                "there is none",
                "Pass at least one runtime.",
            ));
        }
        Ok(registration)
    }

    /// The runtimes with their names resolved; 22023 where a status is unknown or a provider comes twice.
    pub fn named(&self) -> Result<Vec<Named>> {
        let mut providers = HashSet::new();
        let device = trimmed(&self.device_name);
        self.runtimes
            .iter()
            .enumerate()
            .map(|(at, entry)| {
                let provider = match trimmed(&entry.kind) {
                    "" => "unknown",
                    kind => kind,
                };
                if !providers.insert(provider) {
                    return Err(Error::invalid(
                        format!("registration.runtimes[{at}].type"),
                        format!("\"{provider}\" comes twice"),
                        "A machine has one runtime a provider.",
                    ));
                }
                let status = match trimmed(&entry.status) {
                    "" => "online",
                    status => status,
                };
                one_of(
                    &format!("registration.runtimes[{at}].status"),
                    status,
                    &STATUSES,
                )?;
                Ok(self.entry(entry, provider, status, device))
            })
            .collect()
    }

    fn entry(&self, entry: &Entry, provider: &str, status: &str, device: &str) -> Named {
        let version = trimmed(&entry.version);
        let name = match (trimmed(&entry.name), device) {
            ("", "") => provider.to_string(),
            ("", device) => format!("{provider} ({device})"),
            (name, _) => name.to_string(),
        };
        let device_info = [device, version]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>();
        let metadata = serde_json::json!({
            "version": version,
            "cli_version": trimmed(&self.cli_version),
            "launched_by": trimmed(&self.launched_by),
        });
        Named {
            provider: provider.to_string(),
            name,
            status: status.to_string(),
            device_info: device_info.join(" · "),
            metadata: metadata.to_string(),
        }
    }

    /// What the daemon says it still runs, over all its runtimes.
    pub fn running(&self) -> impl Iterator<Item = pgrx::Uuid> + '_ {
        let ids = self.runtimes.iter().flat_map(|entry| &entry.running);
        ids.map(|id| pgrx::Uuid::from_bytes(*id.as_bytes()))
    }
}

/// An array would be read as the fields of an object in their order; nobody means that.
fn objects_only(document: &Value) -> Result<()> {
    let not_an_object = |path: String| malformed(path, "it is not an object");
    if !document.is_object() {
        return Err(not_an_object("registration".into()));
    }
    let entries = document["runtimes"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate();
    match entries.into_iter().find(|(_, entry)| !entry.is_object()) {
        Some((at, _)) => Err(not_an_object(format!("registration.runtimes[{at}]"))),
        None => Ok(()),
    }
}

/// The position in the message is one in jsonb's own rendering, which the caller never wrote.
fn malformed(argument: String, message: &str) -> Error {
    Error::invalid(
        argument,
        message.split(" at line ").next().unwrap_or(message),
        "Pass an object like {\"daemon_id\": \"…\", \"runtimes\": [{\"name\": \"…\", \"type\": \"claude\"}]}.",
    )
}
