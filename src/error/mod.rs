//! Every error that the extension itself raises, defined in one place: message, SQLSTATE, word and hint.
//!
//! Only standard SQLSTATEs are used; the [`Word`] distinguishes errors with the same SQLSTATE. Both are part of the SQL
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
        /// Name of the SQL argument, with the path inside it if it is JSON.
        argument: String,
        /// What is wrong with the value.
        problem: String,
        /// Which value would be correct.
        hint: String,
    },
    /// A row that the call is about does not exist, or not in the workspace it is used with (P0002).
    #[error("{what} {id} does not exist{place}")]
    NotFound {
        /// Kind of row, for example `task`.
        what: &'static str,
        /// The id that was not found.
        id: String,
        /// Where the row was searched for, if not everywhere; starts with a blank.
        place: String,
        /// What the id is instead, if that is known.
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
        /// What uses it.
        detail: String,
        /// What to do about it.
        hint: String,
    },
    /// Another session holds or has changed rows, so the transaction must be repeated (40001).
    #[error("{message}")]
    Conflict {
        /// What the other session holds or has changed.
        message: String,
        /// Which row it is.
        detail: String,
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
    /// Locks could not be acquired in time (55P03).
    #[error("{message}")]
    Locked {
        /// What is locked.
        message: String,
        /// The error of the last attempt.
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
    /// Returns the error for an argument whose value is out of range or outside its set.
    pub fn invalid(argument: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid { argument: argument.into(), problem: problem.into(), hint: hint.into() }
    }

    /// Returns the error for a row that does not exist at all.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string(), place: String::new(), detail: "" }
    }

    /// Returns the error for a row that does not exist in a place, such as a workspace.
    pub fn not_found_in(what: &'static str, id: impl ToString, place: impl std::fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string(), place: format!(" in {place}"), detail: "" }
    }

    /// Returns the error for an object that is not in the state that the call needs.
    pub fn state(word: Word, message: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::State { word, message: message.into(), detail: detail.into(), hint: hint.into() }
    }

    /// Returns the error (40001) for a call that another session prevents from locking its rows in their order. Nothing
    /// was written yet.
    pub fn conflict(message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Conflict { message: message.into(), detail: detail.into() }
    }

    /// Returns the error (55000) for a row that a user's trigger keeps out of a table, or keeps unchanged, without
    /// raising an error.
    pub fn kept_out(message: impl Into<String>, detail: &str) -> Self {
        let hint = "Check the triggers of the table.";
        Self::state(Word::RowKeptOut, message, detail, hint)
    }

    /// Raises the error where no result can be returned, because a row is being decoded or formed.
    pub fn raise(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }

    /// Returns the word by which a program recognizes the error; None if the SQLSTATE alone is enough.
    pub fn word(&self) -> Option<Word> {
        match self {
            Self::State { word, .. } | Self::Unsupported { word, .. } => Some(*word),
            Self::NotFound { what, .. } => Word::of_missing(what),
            Self::InUse { .. } => Some(Word::InUse),
            Self::Null { .. }
            | Self::NullElement { .. }
            | Self::Invalid { .. }
            | Self::Locked { .. }
            | Self::Conflict { .. }
            | Self::Privilege { .. } => None,
        }
    }

    /// Returns its SQLSTATE.
    pub fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Null { .. } | Self::NullElement { .. } => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Invalid { .. } => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Self::NotFound { .. } => PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
            Self::State { .. } => PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::InUse { .. } => PgSqlErrorCode::ERRCODE_OBJECT_IN_USE,
            Self::Conflict { .. } => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
            Self::Unsupported { .. } => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::Locked { .. } => PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            Self::Privilege { .. } => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        }
    }

    /// Returns its DETAIL and HINT; empty if there is none.
    pub fn detail_and_hint(&self) -> (&str, &str) {
        match self {
            Self::Null { .. } | Self::NullElement { .. } => ("", ""),
            Self::NotFound { detail, .. } => (detail, ""),
            Self::Invalid { hint, .. } => ("", hint),
            Self::Conflict { detail, .. } => (detail, "Repeat the transaction."),
            Self::State { detail, hint, .. }
            | Self::InUse { detail, hint, .. }
            | Self::Unsupported { detail, hint, .. }
            | Self::Locked { detail, hint, .. }
            | Self::Privilege { detail, hint, .. } => (detail, hint),
        }
    }
}
