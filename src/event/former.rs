//! Functions with the arguments that they had in earlier versions. SQL objects of these versions call them until they
//! are updated.

use pgrx::prelude::*;

use super::{events, take_events};
use crate::postgres::composite::Composite;
use crate::postgres::entry::entry;
use crate::types::Event;

/// multica_events before 0.4.0, without a workspace.
#[pg_extern(sql = false)]
fn multica_events(after_id: Option<i64>, max_events: Option<i32>) -> SetOfIterator<'static, Composite<Event>> {
    entry(|| events(after_id, max_events, None))
}

/// multica_take_events before 0.4.0, without a workspace.
#[pg_extern(sql = false)]
fn multica_take_events(reader: Option<&str>, max_events: Option<i32>) -> SetOfIterator<'static, Composite<Event>> {
    entry(|| take_events(reader, max_events, None))
}
