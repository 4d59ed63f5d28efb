//! The registration that a daemon passes, read into typed structs and checked as a whole before anything is written.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::unknown_keys::UnknownKeys;
use super::upsert::STATUSES;
use crate::argument::{excerpt, key, one_of};
use crate::error::{Error, Result};

/// The keys of a registration that are read.
const KEYS: &[&str] =
    &["daemon_id", "legacy_daemon_ids", "device_name", "cli_version", "launched_by", "recover", "runtimes"];

/// The keys of each of its runtimes that are read.
const RUNTIME_KEYS: &[&str] = &["name", "type", "provider", "version", "status", "running"];

/// The JSON document of a registration. Unknown keys are ignored with a WARNING, because a newer daemon may send more
/// keys.
#[derive(serde::Deserialize)]
pub struct Registration {
    /// Identity of the daemon.
    pub daemon_id: String,
    /// Its earlier identities.
    #[serde(default, deserialize_with = "null_as_default")]
    pub legacy_daemon_ids: Vec<String>,
    #[serde(default)]
    device_name: Option<String>,
    #[serde(default)]
    cli_version: Option<String>,
    #[serde(default)]
    launched_by: Option<String>,
    /// Whether the orphans of the previous process are failed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub recover: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    runtimes: Vec<Object<Entry>>,
}

#[derive(serde::Deserialize)]
struct Entry {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    running: Vec<uuid::Uuid>,
}

/// Reads null as the default, because many languages write an empty list as null.
fn null_as_default<'de, D, T>(from: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// One runtime of a registration, with its provider, name and status resolved.
pub struct ResolvedRuntime {
    /// Provider, given as type or as provider.
    pub provider: String,
    /// Display name.
    pub name: String,
    /// 'online' unless the daemon passes 'offline'.
    pub status: String,
    /// Device and version, as far as known.
    pub device_info: String,
    /// The metadata object, as JSON text.
    pub metadata: String,
}

/// Returns the text without the blanks around it; empty if it is absent.
fn trimmed(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default().trim()
}

impl Registration {
    /// Reads and checks a registration. The error 22023 names the path of the wrong value. Unknown keys raise a
    /// WARNING.
    pub fn read(text: &str) -> Result<Self> {
        let mut unknown = UnknownKeys::default();
        let mut ignored = |path: serde_ignored::Path| {
            unknown.push(&path, if in_runtime(&path) { RUNTIME_KEYS } else { KEYS });
        };
        let mut reader = serde_json::Deserializer::from_str(text);
        let reader = serde_ignored::Deserializer::new(&mut reader, &mut ignored);
        let Object(mut registration): Object<Self> = serde_path_to_error::deserialize(reader).map_err(|error| {
            let path = match error.path().to_string().as_str() {
                "." => "registration".to_string(),
                path => format!("registration.{path}"),
            };
            malformed(path, &error.into_inner().to_string())
        })?;
        registration.daemon_id = registration.daemon_id.trim().to_string();
        key("registration.daemon_id", &registration.daemon_id)?;
        registration.legacy_daemon_ids = registration
            .legacy_daemon_ids
            .iter()
            .map(|id| id.trim().to_string())
            .filter(|id| !id.is_empty() && *id != registration.daemon_id)
            .collect();
        if registration.runtimes.is_empty() {
            return Err(Error::invalid("registration.runtimes", "must not be empty", "Pass at least one runtime."));
        }
        unknown.warn("registration");
        Ok(registration)
    }

    /// Returns the runtimes with their names resolved, or 22023 if a status is unknown, or a provider is missing or
    /// listed twice.
    pub fn named(&self) -> Result<Vec<ResolvedRuntime>> {
        let mut providers = HashSet::new();
        let device = trimmed(&self.device_name);
        self.runtimes
            .iter()
            .enumerate()
            .map(|(at, Object(entry))| {
                let provider = provider_of(entry, at)?;
                key(&format!("registration.runtimes[{at}].type"), provider)?;
                if !providers.insert(provider) {
                    return Err(Error::invalid(
                        format!("registration.runtimes[{at}].type"),
                        format!("\"{}\" is listed twice", excerpt(provider)),
                        "Pass each provider only once: a daemon has one runtime per provider.",
                    ));
                }
                let status = match trimmed(&entry.status) {
                    "" => "online",
                    status => status,
                };
                one_of(&format!("registration.runtimes[{at}].status"), status, &STATUSES)?;
                Ok(self.entry(entry, provider, status, device))
            })
            .collect()
    }

    fn entry(&self, entry: &Entry, provider: &str, status: &str, device: &str) -> ResolvedRuntime {
        let version = trimmed(&entry.version);
        let name = match (trimmed(&entry.name), device) {
            ("", "") => provider.to_string(),
            ("", device) => format!("{provider} ({device})"),
            (name, _) => name.to_string(),
        };
        let device_info = [device, version].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let metadata = serde_json::json!({
            "version": version,
            "cli_version": trimmed(&self.cli_version),
            "launched_by": trimmed(&self.launched_by),
        });
        ResolvedRuntime {
            provider: provider.to_string(),
            name,
            status: status.to_string(),
            device_info: device_info.join(" - "),
            metadata: metadata.to_string(),
        }
    }

    /// Returns the tasks that the daemon still runs, of all its runtimes.
    pub fn running(&self) -> impl Iterator<Item = pgrx::Uuid> + '_ {
        let ids = self.runtimes.iter().flat_map(|Object(entry)| &entry.running);
        ids.map(|id| pgrx::Uuid::from_bytes(*id.as_bytes()))
    }
}

/// A value that must be a JSON object. Otherwise serde would also read an array as the fields of a struct in their
/// order, which a daemon never means.
struct Object<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct OfMap<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for OfMap<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OfMap(PhantomData))
    }
}

/// Returns the provider of the runtime at position `at`, which daemons pass as its type or as its provider.
fn provider_of(entry: &Entry, at: usize) -> Result<&str> {
    let wrong = |problem: String| {
        Error::invalid(
            format!("registration.runtimes[{at}]"),
            problem,
            "Pass \"type\" or \"provider\", for example \"claude\".",
        )
    };
    match (trimmed(&entry.kind), trimmed(&entry.provider)) {
        ("", "") => Err(wrong("must have a type or a provider".to_string())),
        ("", provider) => Ok(provider),
        (kind, provider) if provider.is_empty() || provider == kind => Ok(kind),
        (kind, provider) => {
            Err(wrong(format!("type \"{}\" and provider \"{}\" differ", excerpt(kind), excerpt(provider))))
        }
    }
}

/// Whether a key belongs to one of the runtimes and not to the registration itself.
fn in_runtime(path: &serde_ignored::Path) -> bool {
    match path {
        serde_ignored::Path::Root => false,
        serde_ignored::Path::Seq { .. } => true,
        serde_ignored::Path::Map { parent, .. }
        | serde_ignored::Path::Some { parent }
        | serde_ignored::Path::NewtypeStruct { parent }
        | serde_ignored::Path::NewtypeVariant { parent } => in_runtime(parent),
    }
}

/// Removes the position from the message, because it refers to the text of the jsonb value and not to what the caller
/// wrote.
fn malformed(argument: String, message: &str) -> Error {
    Error::invalid(
        argument,
        excerpt(message.split(" at line ").next().unwrap_or(message)),
        "Pass an object like {\"daemon_id\": \"...\", \"runtimes\": [{\"name\": \"...\", \"type\": \"claude\"}]}.",
    )
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;

    fn named(text: &str) -> Vec<ResolvedRuntime> {
        Registration::read(text).unwrap().named().unwrap()
    }

    fn wrong(text: &str) -> String {
        let read = Registration::read(text).and_then(|registration| registration.named());
        match read {
            Ok(_) => panic!("{text} is taken"),
            Err(error) => error.to_string(),
        }
    }

    #[pg_test]
    fn names_are_made_of_what_is_there() {
        let document = |device: &str, runtime: &str| {
            format!(r#"{{"daemon_id": "d", "device_name": "{device}", "runtimes": [{runtime}]}}"#)
        };
        for (device, runtime, name, info) in [
            ("", r#"{"provider": "claude"}"#, "claude", ""),
            (" box ", r#"{"type": "claude", "provider": " claude "}"#, "claude (box)", "box"),
            ("box", r#"{"type": " claude ", "version": " 2 "}"#, "claude (box)", "box - 2"),
            ("", r#"{"type": "claude", "version": "2"}"#, "claude", "2"),
            ("box", r#"{"type": "claude", "name": " mine "}"#, "mine", "box"),
            ("box", r#"{"type": "claude", "name": "  "}"#, "claude (box)", "box"),
        ] {
            let found = named(&document(device, runtime));
            assert_eq!((found[0].name.as_str(), found[0].device_info.as_str()), (name, info));
        }
    }

    #[pg_test]
    fn blank_status_is_online_and_an_unknown_one_refused() {
        let status = |word: &str| format!(r#"{{"daemon_id": "d", "runtimes": [{{"type": "t", "status": {word}}}]}}"#);
        assert_eq!(named(&status("null"))[0].status, "online");
        assert_eq!(named(&status(r#"" ""#))[0].status, "online");
        assert_eq!(named(&status(r#""offline""#))[0].status, "offline");
        assert!(wrong(&status(r#""away""#)).contains("registration.runtimes[0].status"));
    }

    #[pg_test]
    fn own_and_blank_identities_are_no_earlier_ones() {
        let text =
            r#"{"daemon_id": " d ", "legacy_daemon_ids": ["", " d", " old ", "D"], "runtimes": [{"type": "t"}]}"#;
        let read = Registration::read(text).unwrap();
        assert_eq!(read.daemon_id, "d");
        assert_eq!(read.legacy_daemon_ids, ["old", "D"]);
    }

    #[pg_test]
    fn arrays_are_not_read_as_objects() {
        assert!(wrong(r#"["d", [], null, null, null, false, [{}]]"#).contains("expected an object"));
        assert!(wrong(r#"{"daemon_id": "d", "runtimes": [{}, ["n", "t"]]}"#).contains("registration.runtimes[1]"));
        assert!(wrong("{}").starts_with("argument \"registration\":"));
    }

    #[pg_test]
    fn a_runtime_without_one_provider_is_refused() {
        for runtime in ["{}", r#"{"type": " "}"#, r#"{"name": "claude"}"#, r#"{"type": "a", "provider": "b"}"#] {
            let text = format!(r#"{{"daemon_id": "d", "runtimes": [{{"type": "t"}}, {runtime}]}}"#);
            assert!(wrong(&text).contains("registration.runtimes[1]\":"), "{runtime}");
        }
    }

    #[pg_test]
    fn what_a_newer_daemon_says_is_left_alone() {
        let text = r#"{"daemon_id": "d", "future": [1e400, {"x": 1}], "runtimes": [{"type": "t", "more": 1e400}]}"#;
        assert_eq!(named(text)[0].provider, "t");
    }

    #[pg_test]
    fn one_provider_twice_is_refused() {
        let text = r#"{"daemon_id": "d", "runtimes": [{"type": "a"}, {"type": " a "}]}"#;
        assert!(wrong(text).contains("is listed twice"));
        let text = r#"{"daemon_id": "d", "runtimes": [{"provider": "a"}, {"type": "a"}]}"#;
        assert!(wrong(text).contains("is listed twice"));
    }
}
