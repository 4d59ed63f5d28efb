//! Profiles of runtimes: a daemon offers one provider several times, under one profile each. A profile is a row of the
//! server's table `runtime_profile`, which install does not make.

use std::collections::HashMap;

use pgrx::Uuid;

use crate::error::{Error, Result, Word};
use crate::lifecycle::features::Feature;
use crate::postgres::statement::{Statement, arg};

static LOCK: Statement = Statement::volatile(sql!("runtime/lock_profiles.sql")).of_visible_rows();

/// A profile.
pub struct Profile {
    /// The name that people read.
    pub display_name: String,
    /// The provider of its runtimes.
    pub provider: String,
    is_enabled: bool,
}

/// Profiles of one workspace, which are locked against deletion.
pub struct Profiles {
    workspace: Option<Uuid>,
    found: HashMap<Uuid, Profile>,
}

impl Profiles {
    /// No profile at all.
    pub fn none() -> Self {
        Self { workspace: None, found: HashMap::new() }
    }

    /// Locks the profiles of a workspace that exist, in the order of their ids.
    pub fn lock(workspace: Uuid, ids: Vec<Uuid>) -> Self {
        if ids.is_empty() || !Feature::RuntimeProfile.is_present() {
            return Self::none();
        }
        let found = LOCK.rows(&[arg(workspace), arg(ids)], |row| {
            let profile = Profile {
                display_name: row.required("display_name"),
                provider: row.required("protocol_family"),
                is_enabled: row.required("enabled"),
            };
            (row.required("id"), profile)
        });
        Self { workspace: Some(workspace), found: found.into_iter().collect() }
    }

    /// Returns the ids of the profiles that were found.
    pub fn ids(&self) -> Vec<Uuid> {
        self.found.keys().copied().collect()
    }

    /// Returns a profile whose runtimes may be registered, or an error: 0A000 if the database has no profiles, P0002 if
    /// this one is unknown, 55000 if it is disabled.
    pub fn enabled(&self, id: Uuid) -> Result<&Profile> {
        let Some(workspace) = self.workspace else {
            return Err(Error::Unsupported {
                word: Word::NoProfiles,
                message: format!("profile {id} cannot be used: this database has no runtime profiles"),
                detail: "It lacks the table runtime_profile, the column agent_runtime.profile_id or its unique index."
                    .into(),
                hint: "Leave the profile out, or migrate the server of this database to a version with profiles."
                    .into(),
            });
        };
        match self.found.get(&id) {
            None => Err(Error::not_found_in("profile", id, format!("workspace {workspace}"))),
            Some(profile) if !profile.is_enabled => Err(Error::state(
                Word::ProfileDisabled,
                format!("profile {id} is disabled"),
                format!("It is the profile \"{}\".", profile.display_name),
                "Enable the profile, or leave it out.",
            )),
            Some(profile) => Ok(profile),
        }
    }
}
