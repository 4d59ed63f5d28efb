//! Errors that a user's code or Postgres raises reach the client with the same fields as without the extension, CONTEXT
//! included. Errors that the extension itself raises contain a word that identifies them. Both are tested on a server
//! with RUST_BACKTRACE in its environment too.

mod cases;
mod compare;
mod every_function;
mod nested;
mod words;

pub use words::read_by_both;

use anyhow::{Result, ensure};

use super::Suite;
use super::support::team;
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;

/// Errors of a user's code or of Postgres.
pub const ALL: &[(&str, Suite)] = suite![
    foreign_errors_keep_every_field,
    foreign_errors_keep_every_field_with_rust_backtrace,
    compare::full_disk_error_keeps_every_field,
    nested::exception_handler_sees_every_field,
    nested::reraised_error_keeps_every_field,
    nested::nested_call_keeps_error,
    nested::planning_error_of_user_statement_is_kept,
    every_function::every_function_adds_error_context,
];

/// The words that identify the extension's own errors.
pub const AT_HOME: &[(&str, Suite)] = suite![
    "error_words": words::docs_list_every_error_word,
    words::error_words_are_readable_in_two_drivers,
    words::ambiguous_errors_have_a_word,
];

fn foreign_errors_keep_every_field(context: &Context) -> Result<()> {
    compare::compare_all(&team(context)?.0)
}

/// Rust captures a backtrace only with this variable.
fn foreign_errors_keep_every_field_with_rust_backtrace(context: &Context) -> Result<()> {
    let options = Options::new("backtrace").environment("RUST_BACKTRACE", "1");
    let cluster = context.cluster(&options)?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("team")?;
    compare::compare_all(&database)?;
    own_errors_have_no_backtrace(&database)
}

fn own_errors_have_no_backtrace(database: &Database) -> Result<()> {
    let mut client = database.connect()?;
    for call in ["SELECT multica_start(NULL)", "SELECT multica_start(gen_random_uuid())"] {
        let error = compare::error_of(&mut client, call)?;
        let texts = [error.detail(), error.hint(), error.where_()];
        ensure!(texts == [None; 3], "{call} returns {texts:?}");
    }
    Ok(())
}
