//! What can go wrong, said once: message, SQLSTATE, word and hint of every error the extension raises itself.
//!
//! Only standard SQLSTATEs are used; the [`Word`] tells apart what has the same one. Both are part of the SQL
//! interface.

mod word;

use pgrx::pg_sys::errcodes::PgSqlErrorCode;

pub use word::Word;

/// Shorthand for results of this crate's own functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Every error that a function of the extension raises by itself; Postgres' own errors pass through unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A required argument is NULL (22004).
    #[error("argument \"{argument}\" must not be NULL")]
    Null {
        /// Name of the SQL argument.
        argument: &'static str,
    },
    /// An array has a NULL element (22004).
    #[error("argument \"{argument}\" must not contain NULL")]
    NullElement {
        /// Name of the SQL argument.
        argument: &'static str,
    },
    /// An argument is out of range or not in the allowed set (22023).
    #[error("argument \"{argument}\": {problem}")]
    Invalid {
        /// Name of the SQL argument, with the path inside it where it is JSON.
        argument: String,
        /// What is wrong with the value given.
        problem: String,
        /// What would be right.
        hint: String,
    },
    /// A row that the call is about does not exist, or not in the workspace it is used with (P0002).
    #[error("{what} {id} does not exist{place}")]
    NotFound {
        /// Kind of row, in the field's terms.
        what: &'static str,
        /// The id that was asked for.
        id: String,
        /// Where it was looked for, when not everywhere; starts with a blank.
        place: String,
        /// What the id is instead, where that is known.
        detail: &'static str,
    },
    /// The object is not in the state that the call needs (55000).
    #[error("{message}")]
    State {
        /// Which error it is.
        word: Word,
        /// What cannot be done.
        message: String,
        /// The state the object is in.
        detail: String,
        /// What to do about it.
        hint: String,
    },
    /// Something still uses the object (55006).
    #[error("{message}")]
    InUse {
        /// What cannot be done.
        message: String,
        /// Who uses it.
        detail: String,
        /// What to do about it.
        hint: String,
    },
    /// The schema is of another generation than this version understands (0A000).
    #[error("{message}")]
    Unsupported {
        /// Which error it is.
        word: Word,
        /// What was found.
        message: String,
        /// Why it cannot be handled.
        detail: String,
        /// What to do about it.
        hint: String,
    },
    /// A privilege is missing (42501).
    #[error("{message}")]
    Privilege {
        /// What cannot be done.
        message: String,
        /// Whose privilege is missing, or on what.
        detail: String,
        /// What to do about it.
        hint: String,
    },
}

impl Error {
    /// An argument whose value is out of range or outside its set.
    pub fn invalid(argument: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid { argument: argument.into(), problem: problem.into(), hint: hint.into() }
    }

    /// A row that does not exist at all.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string(), place: String::new(), detail: "" }
    }

    /// A row that does not exist where it was looked for, such as a workspace.
    pub fn not_found_in(what: &'static str, id: impl ToString, place: impl std::fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string(), place: format!(" in {place}"), detail: "" }
    }

    /// The object is not in the state the call needs.
    pub fn state(word: Word, message: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::State { word, message: message.into(), detail: detail.into(), hint: hint.into() }
    }

    /// A trigger of a user's own keeps a row out of a table, or as it is, without an error (55000).
    pub fn kept_out(message: impl Into<String>, detail: &str) -> Self {
        let hint = "Check the triggers of the table.";
        Self::state(Word::RowKeptOut, message, detail, hint)
    }

    /// Raises it where no result can be handed back: while a row is decoded or formed.
    pub fn raise(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }

    /// What it means to a program; None where the SQLSTATE alone is enough.
    pub fn word(&self) -> Option<Word> {
        match self {
            Self::State { word, .. } | Self::Unsupported { word, .. } => Some(*word),
            Self::NotFound { what, .. } => Word::of_missing(what),
            Self::InUse { .. } => Some(Word::InUse),
            Self::Null { .. } | Self::NullElement { .. } | Self::Invalid { .. } | Self::Privilege { .. } => None,
        }
    }

    /// Its SQLSTATE.
    pub fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Null { .. } | Self::NullElement { .. } => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Invalid { .. } => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::NotFound { .. } => PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
            Self::State { .. } => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::InUse { .. } => PgSqlErrorCode::ERRCODE_OBJECT_IN_USE,
            Self::Unsupported { .. } => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::Privilege { .. } => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        }
    }

    /// Its DETAIL and HINT; empty where there is none.
    pub fn detail_and_hint(&self) -> (&str, &str) {
        match self {
            Self::Null { .. } | Self::NullElement { .. } => ("", ""),
            Self::NotFound { detail, .. } => (detail, ""),
            Self::Invalid { hint, .. } => ("", hint),
            Self::State { detail, hint, .. }
            | Self::InUse { detail, hint, .. }
            | Self::Unsupported { detail, hint, .. }
            | Self::Privilege { detail, hint, .. } => (detail, hint),
        }
    }
}
