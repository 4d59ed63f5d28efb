//! What an operator asks.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::clock;
use crate::error::Error;
use crate::kind::StatusReport;
use crate::row::Composite;
use crate::settings;
use crate::spi::{Statement, arg};
use crate::worker::shared;

static STATUS: Statement = Statement::read(include_str!("../sql/status/status.sql"));

extension_sql_file!(
    "../sql/install/comments/status.sql",
    name = "status_comments",
    requires = [multica_status, "metrics"]
);

fn at(moment: Option<shared::Moment>) -> Option<TimestampWithTimeZone> {
    moment.and_then(|moment| TimestampWithTimeZone::try_from(moment).ok())
}

/// How sweeping, tasks and events stand, in one row.
#[pg_extern(stable)]
#[search_path(@extschema@, pg_temp)]
fn multica_status() -> Result<Composite<StatusReport>, ErrorReport> {
    let slot = shared::of(unsafe { pg_sys::MyDatabaseId });
    let args = [
        arg(clock::now()),
        arg(shared::preloaded()),
        arg(settings::stale_after_secs()),
        arg(settings::offline_grace_secs()),
        arg(shared::launcher_pid()),
        arg(at(slot.as_ref().and_then(|slot| slot.last_end))),
        arg(slot.as_ref().and_then(|slot| slot.error())),
        arg(at(slot.as_ref().and_then(|slot| slot.error_at))),
    ];
    STATUS.row(&args, Composite::from_row).ok_or_else(|| {
        Error::state(
            "the tables of multica are missing or too old",
            "The sweep's state has no row.",
            "Run SELECT * FROM multica_install();",
        )
        .into()
    })
}
