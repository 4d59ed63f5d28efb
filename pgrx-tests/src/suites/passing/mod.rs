//! Errors that are not the extension's own reach the client as they would without it, CONTEXT included, and its own
//! carry a word. In a server with RUST_BACKTRACE in its environment too.

mod cases;
mod compare;
mod entered;
mod nested;
mod words;

pub use words::read_by_both;

use anyhow::{Result, ensure};

use super::Suite;
use super::support::team;
use crate::cluster::Options;
use crate::context::Context;
use crate::database::Database;

/// Errors that Postgres raises.
pub const ALL: &[(&str, Suite)] = suite![
    errors_of_others_keep_every_field,
    errors_of_others_keep_every_field_with_rust_backtrace,
    compare::full_disk_keeps_every_field,
    nested::handler_of_the_caller_sees_every_field,
    nested::error_raised_again_by_a_handler_keeps_its_fields,
    nested::call_below_another_call_keeps_its_error,
    nested::statement_of_a_user_keeps_the_error_of_its_planning,
    entered::no_function_is_without_the_layer,
];

/// Errors of our own.
pub const AT_HOME: &[(&str, Suite)] = suite![
    words::page_names_every_word,
    words::words_are_read_through_two_drivers,
    words::no_error_that_needs_a_word_lacks_it,
];

fn errors_of_others_keep_every_field(context: &Context) -> Result<()> {
    compare::compare_all(&team(context)?.0)
}

/// Only with that variable a backtrace is taken at all.
fn errors_of_others_keep_every_field_with_rust_backtrace(context: &Context) -> Result<()> {
    let options = Options::new("backtrace").environment("RUST_BACKTRACE", "1");
    let cluster = context.cluster(&options)?;
    let database = context.fresh_database_in(&cluster)?;
    database.fixture("team")?;
    compare::compare_all(&database)?;
    no_backtrace_of_our_own(&database)
}

fn no_backtrace_of_our_own(database: &Database) -> Result<()> {
    let mut client = database.connect()?;
    for call in ["SELECT multica_start(NULL)", "SELECT multica_start(gen_random_uuid())"] {
        let error = compare::error_of(&mut client, call)?;
        let told = [error.detail(), error.hint(), error.where_()];
        ensure!(told == [None; 3], "{call} tells {told:?}");
    }
    Ok(())
}
