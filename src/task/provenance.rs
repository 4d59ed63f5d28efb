//! Where a task comes from: the user who caused it, the user who is accountable for it, and the evidence.
//!
//! The application decides who that is, because it knows who acts. A call that names nobody makes the owner of the agent
//! accountable, unless the workspace requires more.

use pgrx::Uuid;

use crate::argument::excerpt;
use crate::error::{Error, Result, Word};
use crate::lifecycle::compatibility;
use crate::lifecycle::features::Feature;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Arg, Statement, arg};

static REQUIRES_ATTRIBUTION: Statement = Statement::volatile(sql!("task/requires_attribution.sql"));

/// The source of a task for which the owner of the agent is accountable, because the call names nobody.
const OWNER_FALLBACK: &str = "owner_fallback";

/// The keys of the argument.
const KEYS: [&str; 8] = [
    "originator_user_id",
    "accountable_user_id",
    "originator_source",
    "delegated_from_task_id",
    "rule_version_id",
    "trigger_evidence_kind",
    "trigger_evidence_ref_id",
    "initiator_user_id",
];

/// The provenance of a task. Each field is a column.
#[derive(Default, serde::Deserialize)]
pub struct Provenance {
    originator_user_id: Option<uuid::Uuid>,
    accountable_user_id: Option<uuid::Uuid>,
    originator_source: Option<String>,
    delegated_from_task_id: Option<uuid::Uuid>,
    rule_version_id: Option<uuid::Uuid>,
    trigger_evidence_kind: Option<String>,
    trigger_evidence_ref_id: Option<uuid::Uuid>,
    initiator_user_id: Option<uuid::Uuid>,
}

impl Provenance {
    /// Reads the argument `provenance`, an object whose keys are all optional. NULL is an empty object. Returns 22023 for
    /// an unknown key, a value of another type, or values that contradict each other.
    pub fn read(given: Option<Jsonb>) -> Result<Self> {
        let Some(given) = given else { return Ok(Self::default()) };
        if !given.is_object() {
            return Err(malformed("provenance", "must be an object"));
        }
        let text = given.text();
        let mut unknown = None;
        let mut ignored = |path: serde_ignored::Path| {
            unknown.get_or_insert_with(|| path.to_string());
        };
        let mut reader = serde_json::Deserializer::from_str(&text);
        let reader = serde_ignored::Deserializer::new(&mut reader, &mut ignored);
        let read: Self = serde_path_to_error::deserialize(reader).map_err(|error| {
            let path = match error.path().to_string().as_str() {
                "." => "provenance".to_string(),
                path => format!("provenance.{path}"),
            };
            let problem = error.into_inner().to_string();
            malformed(&path, problem.split(" at line ").next().unwrap_or(&problem))
        })?;
        if let Some(key) = unknown {
            return Err(malformed("provenance", &format!("has the unknown key \"{}\"", excerpt(&key))));
        }
        read.check_users()?;
        Ok(read)
    }

    /// Returns 22023 if the users contradict each other.
    fn check_users(&self) -> Result<()> {
        if let Some(originator) = self.originator_user_id
            && self.accountable_user_id.is_some_and(|accountable| accountable != originator)
        {
            return Err(Error::invalid(
                "provenance.accountable_user_id",
                "differs from originator_user_id",
                "The user who caused a task is accountable for it; pass one of the two, or the same user in both.",
            ));
        }
        let names_nobody = self.originator_user_id.is_none() && self.accountable_user_id.is_none();
        if self.originator_source.is_some() && names_nobody {
            return Err(Error::invalid(
                "provenance.originator_source",
                "is given without a user",
                "Pass originator_user_id or accountable_user_id too, or leave originator_source out.",
            ));
        }
        Ok(())
    }

    /// Returns 0A000 if the tables lack the column of a key that is given.
    fn check_columns(&self) -> Result<()> {
        let columns = [
            ("originator_user_id", self.originator_user_id.is_some(), Feature::Originator),
            ("accountable_user_id", self.accountable_user_id.is_some(), Feature::Accountable),
            ("originator_source", self.originator_source.is_some(), Feature::Provenance),
            ("delegated_from_task_id", self.delegated_from_task_id.is_some(), Feature::Provenance),
            ("rule_version_id", self.rule_version_id.is_some(), Feature::Provenance),
            ("trigger_evidence_kind", self.trigger_evidence_kind.is_some(), Feature::Provenance),
            ("trigger_evidence_ref_id", self.trigger_evidence_ref_id.is_some(), Feature::Provenance),
            ("initiator_user_id", self.initiator_user_id.is_some(), Feature::Initiator),
        ];
        for (key, _, feature) in columns.into_iter().filter(|(_, is_given, _)| *is_given) {
            compatibility::needs(&format!("provenance.{key}"), feature)?;
        }
        Ok(())
    }

    /// Makes the originator accountable, or the owner of the agent if no user is given. Returns 0A000 if the tables lack the
    /// column of a key, and 55000 if the workspace requires a user.
    pub fn with_accountable_user(mut self, workspace: Uuid, owner: Option<Uuid>) -> Result<Self> {
        self.check_columns()?;
        // The tables have a CHECK that both are equal.
        self.accountable_user_id = self.accountable_user_id.or(self.originator_user_id);
        if self.accountable_user_id.is_some() || !Feature::Accountable.is_present() {
            return Ok(self);
        }
        let is_required = Feature::FailClosed.is_present()
            && REQUIRES_ATTRIBUTION.row(&[arg(workspace)], |row| row.get(1)) == Some(Some(true));
        if is_required {
            return Err(Error::state(
                Word::Unattributed,
                format!("workspace {workspace} requires a user who is accountable for the task"),
                "The argument \"provenance\" names none.",
                "Pass provenance => '{\"originator_user_id\": \"...\"}' or '{\"accountable_user_id\": \"...\"}'.",
            ));
        }
        if let Some(owner) = owner {
            self.accountable_user_id = Some(uuid::Uuid::from_bytes(*owner.as_bytes()));
            self.originator_source = Some(OWNER_FALLBACK.to_string());
        }
        Ok(self)
    }

    /// Returns the values for a statement: originator, accountable user, source, delegating task, version of the rule,
    /// kind and id of the evidence, initiator.
    pub fn args(&self) -> [Arg; 8] {
        let id = |id: Option<uuid::Uuid>| arg(id.map(|id| Uuid::from_bytes(*id.as_bytes())));
        [
            id(self.originator_user_id),
            id(self.accountable_user_id),
            arg(self.originator_source.clone()),
            id(self.delegated_from_task_id),
            id(self.rule_version_id),
            arg(self.trigger_evidence_kind.clone()),
            id(self.trigger_evidence_ref_id),
            id(self.initiator_user_id),
        ]
    }
}

fn malformed(argument: &str, problem: &str) -> Error {
    Error::invalid(argument, excerpt(problem), format!("Pass an object with some of the keys {}.", KEYS.join(", ")))
}
