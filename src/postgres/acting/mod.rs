//! Calls act as the owner of the tables, so that a role which may call a function needs no privilege on the tables.
//!
//! Postgres has checked before that the caller may call the function. A call does not act as the owner where this would
//! show the caller rows that a policy hides, or where a role that is not trusted could have made an object that a
//! statement finds. Then it runs with the privileges of its caller.

mod catalogue;
mod watch;

use std::cell::RefCell;
use std::ffi::CString;

use pgrx::prelude::*;

use crate::error::{Error, Word};
use crate::postgres::role::as_role;
use catalogue::Catalogue;

thread_local! {
    static TABLES: RefCell<Vec<CString>> = const { RefCell::new(Vec::new()) };
    /// The catalogue as this session last read it.
    static KNOWN: RefCell<Option<Catalogue>> = const { RefCell::new(None) };
}

/// The role that a call acts as.
pub struct Actor {
    /// The owner of the tables.
    owner: pg_sys::Oid,
    /// Whether the caller is a superuser.
    for_superuser: bool,
}

/// Declares the tables that statements name; calls act as the owner of the first one. Must be called once, when the
/// library is loaded.
pub fn register<'a>(tables: impl Iterator<Item = &'a str>) {
    TABLES.set(tables.map(|name| CString::new(name).expect("a name holds no NUL byte")).collect());
    watch::register();
}

/// Returns the role that a call of the current role acts as; None if the call runs as its caller. A superuser acts as
/// the owner too, so that triggers of users do not run as a superuser.
pub fn actor() -> Option<Actor> {
    // SAFETY: reads a variable of this process and changes nothing.
    let caller = unsafe { pg_sys::GetUserId() };
    current(|known| {
        let owner = known.owner.filter(|owner| *owner != caller)?;
        let is_filtered = known.has_row_security && (known.filters(caller) || known.filters(owner));
        if is_filtered {
            return None;
        }
        // SAFETY: called in a transaction.
        let for_superuser = unsafe { pg_sys::superuser_arg(caller) };
        (for_superuser || known.creators.is_empty()).then_some(Actor { owner, for_superuser })
    })
}

impl Actor {
    /// Runs `work` as this role.
    pub fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        as_role(self.owner, work)
    }

    /// Whether an error must not show the caller the values of a row: Postgres has checked the privileges of the owner,
    /// and the row may have columns that the caller may not read.
    pub fn hides_rows(&self) -> bool {
        !self.for_superuser
    }
}

/// Runs `work` as the owner of the tables, unless the call must run as its caller.
pub fn as_owner<R>(work: impl FnOnce() -> R) -> R {
    match actor() {
        Some(actor) => actor.run(work),
        None => work(),
    }
}

/// Whether callers may need privileges on the tables: row-level security is enabled on one of them, or they have several
/// owners.
pub fn needs_privileges() -> bool {
    current(|known| known.has_row_security || known.has_several_owners)
}

/// Whether a role that is not trusted may create objects in the schema, so that calls do not act as the owner.
pub fn is_open() -> bool {
    current(|known| !known.creators.is_empty())
}

/// Whether the current role is the owner of the tables, as this session last read the catalogue. It reads nothing, so
/// that it can be called after an error.
pub fn is_owner() -> bool {
    // SAFETY: reads a variable of this process and changes nothing.
    let current = unsafe { pg_sys::GetUserId() };
    KNOWN.with_borrow(|known| known.as_ref().is_some_and(|known| known.owner == Some(current)))
}

/// Returns the error (55000) for a call that lacks a privilege because it could not act as the owner: roles that are not
/// trusted may create objects in the schema. It reads nothing, so that it can be called after an error.
pub fn open_schema() -> Option<Error> {
    KNOWN.with_borrow(|known| {
        let known = known.as_ref().filter(|known| !known.has_row_security && known.owner.is_some())?;
        if known.creators.is_empty() {
            return None;
        }
        let (schema, roles) = (&known.schema_name, known.creators.join(", "));
        Some(Error::state(
            Word::SchemaOpen,
            format!("{roles} may create objects in schema {schema}, in which the functions of multica look names up"),
            "Therefore the call does not act as the owner of the tables, and the current role lacks a privilege on them.",
            format!("Run REVOKE CREATE ON SCHEMA {schema} FROM {roles};"),
        ))
    })
}

/// Passes the catalogue as it is now. What other sessions have committed is included, whatever the transaction's
/// snapshot is.
fn current<R>(pass: impl FnOnce(&Catalogue) -> R) -> R {
    // SAFETY: called in a transaction. The callbacks that this function calls set flags and read nothing.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    // A change during the reading sets the flag again. The loop ends, because each such change requires a commit of
    // another session.
    while watch::is_stale() || KNOWN.with_borrow(Option::is_none) {
        KNOWN.set(None);
        watch::clear();
        KNOWN.set(Some(TABLES.with_borrow(|tables| Catalogue::read(tables))));
    }
    KNOWN.with_borrow(|known| pass(known.as_ref().expect("the catalogue was read")))
}
