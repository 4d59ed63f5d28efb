//! Creates the tables or adopts existing ones. The extension script cannot do this, because tables that it created
//! would be members of the extension: DROP EXTENSION would drop them, and pg_dump would leave them out.

mod catalog;
mod locks;
mod needed;
mod origin;
mod plan;
mod preflight;
mod reports;
mod schedule;
mod step;
mod tables;
mod warnings;

pub use needed::NeededIndexes;
pub use tables::{named_tables, table_names};
pub use warnings::{warn_of_forced_row_security, warn_of_short_thresholds};

use std::time::Duration;

use pgrx::prelude::*;

use crate::argument::required;
use crate::error::{Error, Result, Word};
use crate::grant;
use crate::lifecycle::event::{self, Repair};
use crate::postgres::advisory_lock;
use crate::postgres::composite::{Composite, set};
use crate::postgres::ddl;
use crate::postgres::entry::entry_as_caller;
use crate::postgres::statement::{Statement, arg};
use crate::types::InstallStep;
use crate::version;
use catalog::{DeclaredSchema, Relation, Shape, relations, set_local};
use origin::Origin;
use plan::plan;
use schedule::{Schedule, schedule};
use step::{Action, Step};
use tables::{TABLES, TASKS};

static ENCODING: Statement = Statement::volatile(sql!("install/encoding.sql"));
static PLACE: Statement = Statement::volatile(sql!("install/schema.sql"));
static MAY_CREATE: Statement = Statement::volatile(sql!("install/may_create.sql"));
static SETTING: Statement = Statement::volatile(sql!("install/setting.sql"));
static GIVE_AWAY: Statement = Statement::volatile(sql!("install/assign_owner.sql"));
static OPERATOR: Statement = Statement::volatile(sql!("install/operator.sql"));
static MIGRATIONS: Statement = Statement::volatile(sql!("install/migrations.sql"));
static RECORDED: Statement = Statement::volatile(sql!("install/migration_recorded.sql"));

static COUNTERS: Statement = Statement::volatile(sql!("install/counters.sql"));

const MOVE_COUNTERS: &str = sql!("install/move_counters.sql");
const RECORD_MIGRATION: &str = sql!("install/record_migration.sql");

/// The sequence that ids of events are drawn from.
const EVENT_IDS: &str = "multica_event_log_id_seq";

/// How long install tries to get its locks.
const LONGEST_WAIT: &str = "5s";

extension_sql_file!(
    "../../sql/extension/comments/install.sql",
    name = "install_comments",
    requires = [multica_install_since_0_4, "install_all"]
);

/// Where the extension is installed and what the caller may do there.
struct Installation {
    oid: pg_sys::Oid,
    schema: String,
    caller: String,
    may_create_temporary: bool,
    open_to_all: bool,
    extension: pg_sys::Oid,
}

/// Creates the tables that are missing and adopts those that exist; with `dry_run` it only returns what it would do.
#[pg_extern(name = "multica_install")]
#[search_path(@extschema@, pg_temp)]
fn multica_install_since_0_4(
    dry_run: default!(Option<bool>, "false"),
    build: default!(Option<bool>, "false"),
) -> SetOfIterator<'static, Composite<InstallStep>> {
    entry_as_caller(|| called(dry_run, build))
}

/// multica_install before 0.4.0, without `build`. SQL objects of these versions call it until they are updated.
#[pg_extern(sql = false)]
fn multica_install(dry_run: Option<bool>) -> SetOfIterator<'static, Composite<InstallStep>> {
    entry_as_caller(|| called(dry_run, Some(false)))
}

/// The body of both.
fn called(dry_run: Option<bool>, build: Option<bool>) -> Result<SetOfIterator<'static, Composite<InstallStep>>> {
    version::check()?;
    let (dry_run, build) = (required("dry_run", dry_run)?, required("build", build)?);
    Ok(set(install(dry_run, build)?.iter().map(row).collect()))
}

fn install(dry_run: bool, build: bool) -> Result<Vec<Step>> {
    refuse_other_encodings()?;
    let before = set_meanwhile();
    let place = place()?;
    if !dry_run {
        advisory_lock::one_at_a_time(place.extension);
    }
    may_create_temporary(&place)?;
    let relations = relations(place.oid);
    let found = Shape::read(place.oid, &place.schema);
    let origin = Origin::of(&relations, &found);
    let wanted = DeclaredSchema::declare(&place.schema, &origin);
    preflight::refuse(&place, &wanted, &origin, &relations, &found)?;
    let steps = plan(&wanted, &origin, &found, &place.schema)?;
    let Schedule { now: mut steps, left } = schedule(steps, &place, build);
    steps.extend(counters(&origin));
    let owner = owner(&place, &relations);
    may_create(&place, &owner, &steps)?;
    steps.extend(record_migration(&place, &origin, &steps)?);
    steps.extend(operator(&owner));
    steps.extend(reports::reports(&place, &origin, &relations));
    warnings::warn(&place, &wanted, &relations);
    if !dry_run {
        locks::take(&place, &steps, patience())?;
        apply(&steps);
        give_away(&place, &owner, &steps);
    }
    // Read after the tables are as they will be, because capabilities may be granted before the tables exist.
    let granted = privileges(&place, &owner);
    if !dry_run {
        apply(&granted);
    }
    steps.extend(granted);
    steps.extend(event_log(dry_run)?);
    if !left.is_empty() {
        steps.push(Step::new(left.join(", "), Action::Next, next_call(build)));
    }
    for (name, value) in before {
        set_local(name, &value);
    }
    Ok(steps)
}

/// Returns an error unless the encoding is UTF-8, because the strings of Rust are UTF-8. In another encoding, the first
/// word with an accent would end a call with an internal error.
fn refuse_other_encodings() -> Result<()> {
    let encoding: Option<String> = ENCODING.row(&[], |row| row.must(1));
    match encoding.as_deref() {
        None | Some("UTF8") => Ok(()),
        Some(other) => Err(Error::Unsupported {
            word: Word::WrongEncoding,
            message: format!("the encoding of this database is {other}, not UTF8"),
            detail: "multica supports only UTF8.".into(),
            hint: "Create a database with ENCODING 'UTF8' TEMPLATE template0, and restore a pg_dump of this database into it."
                .into(),
        }),
    }
}

/// Limits the wait for locks unless the caller has limited it, and makes the catalogue return names without unnecessary
/// quotes, because names are compared. Returns the previous values, which must be restored for the rest of the caller's
/// transaction.
fn set_meanwhile() -> Vec<(&'static str, String)> {
    let ours = [("lock_timeout", LONGEST_WAIT, true), ("quote_all_identifiers", "off", false)];
    let set = |(name, value, leaves_the_callers): (&'static str, &str, bool)| {
        let (before, is_default): (String, bool) =
            SETTING.row(&[arg(name.to_string())], |row| (row.must(1), row.must(2)))?;
        if leaves_the_callers && !is_default {
            return None;
        }
        set_local(name, value);
        Some((name, before))
    };
    ours.into_iter().filter_map(set).collect()
}

/// Returns how long install tries to get its locks; None for ever.
fn patience() -> Option<Duration> {
    let setting: Option<String> = SETTING.row(&[arg("lock_timeout".to_string())], |row| row.must(1));
    let milliseconds = setting.and_then(|setting| setting.parse().ok()).filter(|limit| *limit > 0)?;
    Some(Duration::from_millis(milliseconds))
}

/// Returns the statement that does what this call leaves.
fn next_call(build: bool) -> &'static str {
    if build { "SELECT * FROM multica_install(build => true)" } else { "SELECT * FROM multica_install()" }
}

/// Returns where the extension is installed, or an error if its schema was renamed. The functions are pinned to the old
/// name of the schema and would find nothing, and the error about the first missing object would not show the cause.
fn place() -> Result<Installation> {
    let place = PLACE.row(&[], |row| {
        let place = Installation {
            oid: row.required("schema_oid"),
            schema: row.required("schema"),
            caller: row.required("caller"),
            may_create_temporary: row.required("may_create_temporary"),
            open_to_all: row.required("open_to_all"),
            extension: row.required("extension_oid"),
        };
        (place, row.required::<bool>("is_renamed"), row.required::<String>("quoted_schema"))
    });
    let (place, renamed, name) = place.expect("a function of the extension runs in a database that has it");
    if renamed {
        return Err(Error::state(
            Word::SchemaRenamed,
            format!("the schema of multica was renamed to {name}"),
            "Its functions look for their tables under the old name.",
            format!(
                "Run DROP EXTENSION multica; CREATE EXTENSION multica SCHEMA {name}; the tables stay where they are."
            ),
        ));
    }
    Ok(place)
}

fn may_create_temporary(place: &Installation) -> Result<()> {
    if place.may_create_temporary {
        return Ok(());
    }
    Err(Error::Privilege {
        message: format!("{} is not allowed to create temporary tables in this database", place.caller),
        detail: "multica creates the tables that it needs as temporary tables, to compare them with the existing ones."
            .into(),
        hint: format!("Run GRANT TEMPORARY ON DATABASE ... TO {};", place.caller),
    })
}

/// Checks that the caller and the owner may create objects, because tables are created as the caller and then given to
/// the owner.
fn may_create(place: &Installation, owner: &str, steps: &[Step]) -> Result<()> {
    let args = [arg(place.oid), arg(owner.to_string())];
    let creates = steps.iter().any(|step| step.action == Action::Created);
    let lacking: Option<String> = MAY_CREATE.row(&args, |row| row.must(1));
    let Some(role) = lacking.filter(|_| creates) else {
        return Ok(());
    };
    Err(Error::Privilege {
        message: format!("{role} is not allowed to create objects in schema {}", place.schema),
        detail: "Tables or indexes are missing there; a dry run lists them.".into(),
        hint: format!("Run GRANT CREATE ON SCHEMA {} TO {role};", place.schema),
    })
}

/// Returns the step for issue counters that are behind the numbers of the issues. In tables that install made, the
/// counters are moved; in a server's tables, they are only reported.
fn counters(origin: &Origin) -> Option<Step> {
    let are_there = origin.is_there("workspace") && origin.is_there("issue");
    let are_behind = are_there && COUNTERS.row(&[], |row| row.must(1)).unwrap_or(false);
    let action = if origin.is_own() { Action::Altered } else { Action::Missing };
    let ddl = MOVE_COUNTERS.trim_end();
    are_behind.then(|| Step::new("workspace.issue_counter", action, ddl))
}

/// Restarts the event log if its ids cannot continue, unless a subscription writes into it. Returns the step.
fn event_log(dry_run: bool) -> Result<Option<Step>> {
    let step = match event::repair(dry_run)? {
        None => return Ok(None),
        Some(Repair::Restarts(sql)) => Step::new(EVENT_IDS, Action::Altered, sql),
        Some(Repair::IsFed(sql)) => Step::new(EVENT_IDS, Action::Missing, sql),
    };
    Ok(Some(step))
}

fn apply(steps: &[Step]) {
    let scripts: Vec<&String> = steps.iter().filter(|step| step.runs()).filter_map(|step| step.ddl.as_ref()).collect();
    ddl::run(&scripts);
}

/// Returns the owner of the existing tables, which all have the same owner; in an empty schema, the caller.
fn owner(place: &Installation, relations: &[Relation]) -> String {
    relations.first().map_or_else(|| place.caller.clone(), |relation| relation.owner.clone())
}

fn give_away(place: &Installation, owner: &str, steps: &[Step]) {
    let created = |name: &str| {
        let mut all = steps.iter();
        all.any(|step| step.object == name && step.action == Action::Created)
    };
    let names: Vec<String> =
        TABLES.iter().filter(|table| created(table.name)).map(|table| table.name.to_string()).collect();
    let names = [names, vec![TASKS.to_string()]].concat();
    let args = [arg(place.oid), arg(names), arg(owner.to_string())];
    let scripts = GIVE_AWAY.rows(&args, |row| row.must::<String>(1));
    ddl::run(&scripts);
}

/// Returns the step that records the server's migration as done. Without it, the server's migrator would add the
/// columns again, and would fail every time because they exist. A list that does not look like the server's is written
/// only if install adds these columns.
fn record_migration(place: &Installation, origin: &Origin, steps: &[Step]) -> Result<Option<Step>> {
    let is_altered = steps.iter().any(|step| step.object == TASKS && step.action == Action::Altered);
    let adds_columns = is_altered && origin.lacks_lease_and_retry();
    let may_use: Option<bool> = MIGRATIONS.row(&[arg(place.oid)], |row| row.must(1));
    match may_use.filter(|_| origin.is_adopted()) {
        None => return Ok(None),
        Some(false) if adds_columns => return Err(list_is_closed(place)),
        Some(false) => return Ok(None),
        Some(true) => {}
    }
    let (is_recorded, is_servers) =
        RECORDED.row(&[], |row| (row.must::<bool>(1), row.must::<bool>(2))).unwrap_or_default();
    let wanted = !is_recorded && (adds_columns || is_servers && !origin.is_later_than_055());
    Ok(wanted.then(|| {
        let ddl = RECORD_MIGRATION.trim_end();
        Step::new("schema_migrations", Action::Altered, ddl)
    }))
}

fn list_is_closed(place: &Installation) -> Error {
    Error::Privilege {
        message: format!("{} is not allowed to read and write schema_migrations", place.caller),
        detail: "The server's migrator must know of the columns that multica adds.".into(),
        hint: format!("Run GRANT SELECT, INSERT ON schema_migrations TO {};", place.caller),
    }
}

/// Returns the step that lets the owner of the tables use the schema and call every function, because calls act as that
/// role and the worker sweeps as it.
fn operator(owner: &str) -> Option<Step> {
    let args = [arg(owner.to_string())];
    let (grants, may_grant): (Option<String>, Option<bool>) = OPERATOR.row(&args, |row| (row.get(1), row.get(2)))?;
    let action = match may_grant {
        Some(true) => Action::Altered,
        _ => Action::Missing,
    };
    grants.map(|sql| Step::new(format!("operator {owner}"), action, sql))
}

/// Returns the steps that grant the missing privileges to roles with a capability. Where no table has row-level security,
/// a capability needs no privilege on tables, because calls act as their owner.
fn privileges(place: &Installation, owner: &str) -> Vec<Step> {
    let step = |lacking: grant::Lacking| {
        let action = if lacking.may_grant { Action::Altered } else { Action::Missing };
        Step::new(lacking.object, action, lacking.grants)
    };
    let all = grant::lacking(place.oid, owner.to_string()).into_iter();
    all.map(step).collect()
}

fn row(step: &Step) -> Composite<InstallStep> {
    Composite::of(&[
        ("object", arg(step.object.clone())),
        ("action", arg(step.action.word().to_string())),
        ("ddl", arg(step.ddl.clone())),
    ])
}
