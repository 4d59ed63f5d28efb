//! Unknown keys of a JSON document. They raise a WARNING: a typo must not stay unnoticed, and a newer daemon must not
//! get an error.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::PgLogLevel;
use serde_ignored::Path;

use crate::argument::excerpt;

/// A warning names no more keys than this.
const MOST: usize = 10;

/// Names that are less alike than this, from 0 to 1, are not suggested.
const ALIKE: f64 = 0.6;

/// The unknown keys of one document.
#[derive(Default)]
pub struct UnknownKeys {
    found: Vec<String>,
    more: usize,
}

impl UnknownKeys {
    /// Adds the key at `path`; `known` are the keys that are read in its place.
    pub fn push(&mut self, path: &Path, known: &[&str]) {
        if self.found.len() == MOST {
            self.more += 1;
            return;
        }
        let key = match path {
            Path::Map { key, .. } => key.as_str(),
            _ => "",
        };
        let nearest = nearest(key, known).map(|name| format!(" (did you mean \"{name}\"?)"));
        self.found.push(format!("{}{}", excerpt(&shown(path)), nearest.unwrap_or_default()));
    }

    /// Raises a WARNING that names the unknown keys, if there are any.
    pub fn warn(self, argument: &str) {
        if self.found.is_empty() {
            return;
        }
        let more = match self.more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!("unknown keys in argument \"{argument}\" are ignored"),
            "multica",
        )
        .set_detail(format!("{}{more}.", self.found.join(", ")))
        .report(PgLogLevel::WARNING);
    }
}

/// Returns a path in the form that messages about wrong values use.
fn shown(path: &Path) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", shown(parent)),
        Path::Map { parent, key } => match shown(parent) {
            above if above.is_empty() => key.clone(),
            above => format!("{above}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => shown(parent),
    }
}

fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let key = key.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&key, name), *name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name)
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;

    #[pg_test]
    fn the_nearest_name_is_suggested_where_one_is_near() {
        let known = ["daemon_id", "recover", "runtimes"];
        for (key, expected) in [
            ("recovr", Some("recover")),
            ("Runtimes", Some("runtimes")),
            ("deamon_id", Some("daemon_id")),
            ("runtime", Some("runtimes")),
            ("future", None),
            ("", None),
        ] {
            assert_eq!(nearest(key, &known), expected, "{key}");
        }
    }
}
