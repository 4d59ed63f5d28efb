//! The registration that a daemon passes, read into typed structs and checked as a whole before anything is written.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::profile::{Profile, Profiles};
use super::unknown_keys::UnknownKeys;
use super::upsert::{NewRuntime, STATUSES};
use crate::argument::{excerpt, key, one_of};
use crate::error::{Error, Result};
use crate::postgres::jsonb::Jsonb;

/// The keys of a registration that are read.
const KEYS: &[&str] = &[
    "daemon_id",
    "legacy_daemon_ids",
    "device_name",
    "cli_version",
    "launched_by",
    "capabilities",
    "incarnation",
    "recover",
    "runtimes",
    "failed_profiles",
];

/// The keys of each of its runtimes that are read.
const RUNTIME_KEYS: &[&str] = &["name", "type", "provider", "profile_id", "version", "status", "running"];

/// The keys of each of its failed profiles that are read.
const FAILED_KEYS: &[&str] = &["profile_id", "command_name", "reason"];

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
    #[serde(default)]
    capabilities: Option<Vec<String>>,
    #[serde(default)]
    incarnation: Option<uuid::Uuid>,
    /// Whether the orphans of the previous process are failed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub recover: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    runtimes: Vec<Object<Entry>>,
    #[serde(default, deserialize_with = "null_as_default")]
    failed_profiles: Vec<Object<FailedProfile>>,
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
    profile_id: Option<uuid::Uuid>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    running: Vec<uuid::Uuid>,
}

/// A profile whose runtime the daemon could not start. The id is read as text, because an error in it concerns this
/// profile alone.
#[derive(serde::Deserialize)]
struct FailedProfile {
    #[serde(default)]
    profile_id: Option<String>,
    #[serde(default)]
    command_name: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

impl FailedProfile {
    fn id(&self) -> std::result::Result<pgrx::Uuid, uuid::Error> {
        uuid::Uuid::parse_str(trimmed(&self.profile_id)).map(from_uuid)
    }
}

fn from_uuid(id: uuid::Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*id.as_bytes())
}

/// Reads null as the default, because many languages write an empty list as null.
fn null_as_default<'de, D, T>(from: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
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
        let mut ignored = |path: serde_ignored::Path| unknown.push(&path, known_beside(&path));
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
        if registration.runtimes.is_empty() && registration.failed_profiles.is_empty() {
            let hint = "Pass at least one runtime or failed profile.";
            return Err(Error::invalid("registration.runtimes", "must not be empty", hint));
        }
        unknown.warn("registration");
        Ok(registration)
    }

    /// Returns the incarnation of the daemon process, if it passes one.
    pub fn incarnation(&self) -> Option<pgrx::Uuid> {
        self.incarnation.map(from_uuid)
    }

    /// Returns the profiles of the runtimes and the failed profiles, without ids that are not valid.
    pub fn profiles(&self) -> Vec<pgrx::Uuid> {
        let of_runtimes = self.runtimes.iter().filter_map(|Object(entry)| entry.profile_id.map(from_uuid));
        let failed = self.failed_profiles.iter().filter_map(|Object(failed)| failed.id().ok());
        of_runtimes.chain(failed).collect()
    }

    /// Returns the runtimes with their providers and names resolved, or an error: 22023 if a status is unknown, or a
    /// provider or profile is missing or listed twice; and the errors of [`Profiles::enabled`].
    pub fn resolved(&self, profiles: &Profiles) -> Result<Vec<NewRuntime>> {
        let mut seen = HashSet::new();
        let mut resolve = |at: usize, entry: &Entry| {
            let profile = entry.profile_id.map(from_uuid);
            let (provider, kind, shown) = match profile {
                Some(profile) => (profiles.enabled(profile)?.provider.clone(), "profile_id", profile.to_string()),
                None => {
                    let provider = provider_of(entry, at)?.to_lowercase();
                    key(&format!("registration.runtimes[{at}].type"), &provider)?;
                    (provider.clone(), "type", provider)
                }
            };
            if !seen.insert((kind, shown.clone())) {
                return Err(Error::invalid(
                    format!("registration.runtimes[{at}].{kind}"),
                    format!("\"{}\" is listed twice", excerpt(&shown)),
                    "Pass each provider and each profile only once: a daemon has one runtime per provider, and one \
                     per profile.",
                ));
            }
            let status = match trimmed(&entry.status) {
                "" => "online",
                status => status,
            };
            one_of(&format!("registration.runtimes[{at}].status"), status, &STATUSES)?;
            let name = match (trimmed(&entry.name), profile) {
                ("", Some(profile)) => self.with_device(&profiles.enabled(profile)?.display_name),
                ("", None) => self.with_device(&provider),
                (name, _) => name.to_string(),
            };
            let version = trimmed(&entry.version);
            let metadata = self.metadata(version).to_string();
            Ok(NewRuntime {
                profile,
                provider,
                name,
                status: status.to_string(),
                device_info: self.device_info(version),
                metadata: Jsonb::read(&metadata),
            })
        };
        self.runtimes.iter().enumerate().map(|(at, Object(entry))| resolve(at, entry)).collect()
    }

    /// Returns an offline runtime for each failed profile, in the order of the registration, or what prevents it.
    /// `runtimes` are the others of the registration.
    pub fn failed(&self, profiles: &Profiles, runtimes: &[NewRuntime]) -> Vec<std::result::Result<NewRuntime, String>> {
        let mut seen: HashSet<pgrx::Uuid> = runtimes.iter().filter_map(|it| it.profile).collect();
        let mut resolve = |failed: &FailedProfile| {
            let id = failed.id().map_err(|_| "its id is not a UUID".to_string())?;
            let profile = profiles.enabled(id).map_err(|error| error.to_string())?;
            match seen.insert(id) {
                true => Ok(self.failed_runtime(failed, id, profile)),
                false => Err("the registration lists it twice".to_string()),
            }
        };
        let with_id = |failed: &FailedProfile, problem: String| not_recorded(trimmed(&failed.profile_id), &problem);
        let all = self.failed_profiles.iter();
        all.map(|Object(failed)| resolve(failed).map_err(|problem| with_id(failed, problem))).collect()
    }

    fn failed_runtime(&self, failed: &FailedProfile, id: pgrx::Uuid, profile: &Profile) -> NewRuntime {
        let mut metadata = self.metadata("");
        metadata["runtime_profile_registration_error"] = true.into();
        metadata["runtime_profile_failure_reason"] = trimmed(&failed.reason).into();
        metadata["command_name"] = trimmed(&failed.command_name).into();
        NewRuntime {
            profile: Some(id),
            provider: profile.provider.clone(),
            name: self.with_device(&profile.display_name),
            status: "offline".to_string(),
            device_info: self.device_info(""),
            metadata: Jsonb::read(&metadata.to_string()),
        }
    }

    fn with_device(&self, name: &str) -> String {
        match trimmed(&self.device_name) {
            "" => name.to_string(),
            device => format!("{name} ({device})"),
        }
    }

    fn device_info(&self, version: &str) -> String {
        let parts = [trimmed(&self.device_name), version].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(" - ")
    }

    /// Returns the metadata object of a runtime. Only a daemon that sends its capabilities gets that key.
    fn metadata(&self, version: &str) -> serde_json::Value {
        let mut metadata = serde_json::json!({
            "version": version,
            "cli_version": trimmed(&self.cli_version),
            "launched_by": trimmed(&self.launched_by),
        });
        if let Some(capabilities) = &self.capabilities {
            metadata["capabilities"] = capabilities.as_slice().into();
        }
        metadata
    }

    /// Returns the tasks that the daemon still runs, of all its runtimes.
    pub fn running(&self) -> impl Iterator<Item = pgrx::Uuid> + '_ {
        let ids = self.runtimes.iter().flat_map(|Object(entry)| &entry.running);
        ids.copied().map(from_uuid)
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

/// Returns the warning about a failed profile for which no runtime could be written.
pub fn not_recorded(profile: &str, problem: &str) -> String {
    format!("multica could not record that profile \"{}\" failed: {problem}", excerpt(profile))
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

/// Returns the keys that are read beside the unknown key at `path`.
fn known_beside(path: &serde_ignored::Path) -> &'static [&'static str] {
    let path = path.to_string();
    match path.split('.').next() {
        Some("runtimes") => RUNTIME_KEYS,
        Some("failed_profiles") => FAILED_KEYS,
        _ => KEYS,
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

    fn named(text: &str) -> Vec<NewRuntime> {
        Registration::read(text).unwrap().resolved(&Profiles::none()).unwrap()
    }

    fn wrong(text: &str) -> String {
        let read = Registration::read(text).and_then(|registration| registration.resolved(&Profiles::none()));
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
            ("mac", r#"{"type": " Claude "}"#, "claude (mac)", "mac"),
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
        let text = r#"{"daemon_id": "d", "runtimes": [{"type": "a"}, {"type": " A "}]}"#;
        assert!(wrong(text).contains("is listed twice"));
        let text = r#"{"daemon_id": "d", "runtimes": [{"provider": "a"}, {"type": "a"}]}"#;
        assert!(wrong(text).contains("is listed twice"));
    }
}
