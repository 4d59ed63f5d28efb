//! The layer that every SQL-callable function runs in. An error that is raised below it reaches the client with all its
//! fields, CONTEXT included. The errors of the extension itself are raised by the same code. In this layer a call acts as
//! the owner of the tables.
//!
//! pgrx turns an error of Postgres into the unwinding of Rust frames and reports it again at the top, but copies only
//! some of its fields. Therefore the layer is registered as an error context of Postgres: [`layer`] takes a copy of
//! each error while Postgres raises it, and [`raise`] writes the copy over the error that pgrx reports. No error jumps
//! over a Rust frame.

mod layer;
mod raise;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, resume_unwind};

use pgrx::PgTryBuilder;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};

use crate::error::{Error, Result, Word};
use crate::postgres::acting;
use layer::Layer;

pub use layer::{Fields, add_hint, function, function_of_caller, is_raised_by};

/// The source file of Postgres that raises the error of a missing privilege. It identifies these errors in every
/// language of the messages; the SQLSTATE does not, because the errors of policies have the same one.
pub const PRIVILEGES: &str = "aclchk.c";

/// Runs the body of a SQL-callable function as the owner of the tables and returns its value; an error ends the call with
/// all its fields. `work` must be a closure in the function itself, because the layer takes the function's name from the
/// path of the closure.
pub fn entry<T>(work: impl FnOnce() -> Result<T>) -> T {
    entry_named(std::any::type_name_of_val(&work), work)
}

/// As [`entry`]; `name` is the name of the type of a closure in the function.
pub fn entry_named<T>(name: &'static str, work: impl FnOnce() -> Result<T>) -> T {
    let hides_rows = Cell::new(false);
    let outcome = caught_in(&Layer::of(name), || match acting::actor() {
        Some(actor) => {
            hides_rows.set(actor.hides_rows());
            actor.run(work)
        }
        None => work(),
    });
    finish(outcome.map_err(|caught| if hides_rows.get() { caught.without_row() } else { caught }))
}

/// As [`entry`], for a function that reads and writes no table of the extension, or that needs the privileges of its
/// caller.
pub fn entry_as_caller<T>(work: impl FnOnce() -> Result<T>) -> T {
    finish(caught_in(&Layer::of(std::any::type_name_of_val(&work)), work))
}

fn finish<T>(outcome: std::result::Result<Result<T>, Caught>) -> T {
    match outcome {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => Caught::from(error).report(),
        Err(caught) => caught.report(),
    }
}

/// Runs `work` and returns the error that ended it, if there was one. The caller must roll back the transaction, or a
/// subtransaction around `work`, or pass the error on.
pub fn catch<R>(work: impl FnOnce() -> R) -> std::result::Result<R, Caught> {
    caught_in(&Layer::default(), work)
}

fn caught_in<R>(layer: &Layer, work: impl FnOnce() -> R) -> std::result::Result<R, Caught> {
    layer.around(work).map_err(|payload| Caught::new(payload, layer))
}

/// An error on its way out of Rust code, with all its fields.
pub struct Caught {
    fields: Fields,
    /// The error that pgrx is to report, if it has the place in Postgres' source that raised the error.
    reported: Option<Box<CaughtError>>,
}

// SAFETY: a payload of an unwinding must be Send, and a backend has one thread.
unsafe impl Send for Caught {}

impl From<Error> for Caught {
    fn from(error: Error) -> Self {
        Self { fields: error.into(), reported: None }
    }
}

impl Caught {
    fn new(payload: Box<dyn std::any::Any + Send>, layer: &Layer) -> Self {
        let payload = match payload.downcast::<Error>() {
            Ok(error) => return Self::from(*error),
            Err(other) => other,
        };
        let payload = match payload.downcast::<Self>() {
            Ok(caught) => return *caught,
            Err(other) => other,
        };
        // Only the handlers of pgrx can distinguish the kinds of payload.
        let caught = PgTryBuilder::new(AssertUnwindSafe(|| -> CaughtError { resume_unwind(payload) }))
            .catch_others(|caught| caught)
            .execute();
        match caught {
            CaughtError::PostgresError(report) => Self {
                fields: layer.take(&report).unwrap_or_else(|| reported(&report)),
                reported: Some(Box::new(CaughtError::PostgresError(report))),
            },
            CaughtError::ErrorReport(report) => Self { fields: reported(&report), reported: None },
            CaughtError::RustPanic { ereport, payload } => {
                if payload.is::<Error>() || payload.is::<Self>() {
                    return Self::new(payload, layer);
                }
                let mut fields = reported(&ereport);
                // Only the server's log contains the place of the panic.
                let place = format!("{}:{}", ereport.file(), ereport.line_number());
                let backtrace = ereport.backtrace().map(ToString::to_string);
                fields.set_detail_log(&format!("{place}\n{}", backtrace.unwrap_or_default()));
                Self { fields, reported: None }
            }
        }
    }

    /// The error's fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The same error, without the values of a row.
    fn without_row(mut self) -> Self {
        self.fields.hide_row();
        self
    }

    /// Passes the error on to the [`catch`] or [`entry`] around this one.
    pub fn rethrow(self) -> ! {
        resume_unwind(Box::new(self))
    }

    /// Makes pgrx report the error after every frame of this call is unwound. Must be called only at the top of Rust
    /// code.
    #[cold]
    fn report(self) -> ! {
        let payload: Box<dyn std::any::Any + Send> = match self.reported {
            Some(caught) => caught,
            None => Box::new(ErrorReport::new(self.fields.code().into(), self.fields.message(), "multica")),
        };
        raise::put_back_later(self.fields);
        resume_unwind(payload)
    }
}

fn reported(report: &ErrorReportWithLevel) -> Fields {
    Fields::new(report.sql_error_code() as i32, report.message(), report.detail(), report.hint(), None)
}

/// Keeps errors that unwind away from the panic hook of pgrx, which would store a backtrace of each error and report it
/// to the client. Must be called when the library is loaded.
pub fn register() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        if !(payload.is::<CaughtError>() || payload.is::<ErrorReportWithLevel>()) {
            previous(panic);
        }
    }));
}

impl From<Error> for Fields {
    fn from(error: Error) -> Self {
        let (detail, hint) = error.detail_and_hint();
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        Self::new(error.code() as i32, &error.to_string(), given(detail), given(hint), error.word().map(Word::text))
    }
}
