//! Where a run has ended, as its daemon reports it: the session, the directory, and what newer tables have besides.

use serde_json::{Map, Value};

use crate::argument::excerpt;
use crate::clean;
use crate::error::{Error, Result};
use crate::postgres::jsonb::Jsonb;
use crate::postgres::statement::{Arg, arg};

const KEYS: &str = "Pass an object with the keys branch_name, durable_work_dir and retired_session_id, which are texts, and \
                    session_rollout_missing, which is a boolean; each may be left out.";

/// Where a run has ended. What is NULL or empty is not known.
#[derive(Default)]
pub struct RunEnd {
    /// Session in which the run can be resumed.
    pub session_id: Option<String>,
    /// Working directory.
    pub work_dir: Option<String>,
    /// What newer tables have besides.
    pub extra: Extra,
}

/// What a daemon of today reports besides. A key for which the tables have no column is not stored.
#[derive(Default)]
pub struct Extra {
    branch_name: Option<String>,
    durable_work_dir: Option<String>,
    retired_session_id: Option<String>,
    session_rollout_missing: Option<bool>,
}

impl RunEnd {
    /// Returns the values for statements: session, directory, branch, durable directory, session that was given up,
    /// whether the transcript of the session is missing.
    pub fn args(&self) -> [Arg; 6] {
        let Extra { branch_name, durable_work_dir, retired_session_id, session_rollout_missing } = &self.extra;
        [
            arg(self.session_id.clone()),
            arg(self.work_dir.clone()),
            arg(branch_name.clone()),
            arg(durable_work_dir.clone()),
            arg(retired_session_id.clone()),
            arg(*session_rollout_missing),
        ]
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        let Extra { branch_name, durable_work_dir, retired_session_id, session_rollout_missing } = &self.extra;
        let texts = [&self.session_id, &self.work_dir, branch_name, durable_work_dir, retired_session_id];
        session_rollout_missing.is_none() && texts.iter().all(|text| text.as_deref().unwrap_or_default().is_empty())
    }
}

impl Extra {
    /// Reads the argument `extra`; 22023 if it is no such object.
    pub fn read(extra: Option<Jsonb>) -> Result<Self> {
        extra.map_or(Ok(Self::default()), |extra| Self::parse(&extra.text()))
    }

    /// As [`Extra::read`], for bytes, which are cleaned first.
    pub fn read_raw(extra: Option<&[u8]>) -> Result<Self> {
        extra.map_or(Ok(Self::default()), |bytes| Self::parse(&clean::json(bytes)))
    }

    fn parse(json: &str) -> Result<Self> {
        let object: Map<String, Value> =
            serde_json::from_str(json).map_err(|_| Error::invalid("extra", "must be an object", KEYS))?;
        let mut extra = Self::default();
        for (key, value) in object {
            match key.as_str() {
                "branch_name" => extra.branch_name = text(&key, value)?,
                "durable_work_dir" => extra.durable_work_dir = text(&key, value)?,
                "retired_session_id" => extra.retired_session_id = text(&key, value)?,
                "session_rollout_missing" => extra.session_rollout_missing = boolean(&key, value)?,
                other => return Err(Error::invalid(format!("extra.{}", excerpt(other)), "is not a known key", KEYS)),
            }
        }
        Ok(extra)
    }
}

fn text(key: &str, value: Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(Error::invalid(format!("extra.{key}"), "must be a text", KEYS)),
    }
}

fn boolean(key: &str, value: Value) -> Result<Option<bool>> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value)),
        _ => Err(Error::invalid(format!("extra.{key}"), "must be a boolean", KEYS)),
    }
}
