//! Grants capabilities to roles and revokes them. A capability is stored only as the privileges of the role.
//!
//! Calls act as the owner of the tables, so that a capability needs no privilege on tables. Only where row-level security
//! is enabled on a table, or the tables have several owners, calls may run as their caller, and a capability includes the
//! privileges that its calls need.

use pgrx::pg_sys::errcodes::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::argument::{one_of, required};
use crate::capability::{self, CAPABILITIES};
use crate::error::{Error, Result};
use crate::install::table_names;
use crate::postgres::entry::entry_as_caller;
use crate::postgres::role::Role;
use crate::postgres::statement::{Row, Statement, arg};
use crate::postgres::{acting, advisory_lock, ddl};
use crate::version;

static CONTEXT: Statement = Statement::stable(sql!("grant/context.sql"));
static EXECUTE: Statement = Statement::volatile(sql!("grant/execute.sql"));
static PRIVILEGES: Statement = Statement::stable(sql!("grant/privileges.sql"));
static HOLDERS: Statement = Statement::stable(sql!("grant/holders.sql"));
static REMAINING: Statement = Statement::volatile(sql!("grant/remaining.sql"));

extension_sql_file!(
    "../sql/extension/comments/grant.sql",
    name = "grant_comments",
    requires = [multica_grant, multica_revoke]
);

/// The privileges on the tables that a role with a capability lacks.
pub struct Lacking {
    /// Capability and role.
    pub object: String,
    /// The statements that grant them.
    pub grants: String,
    /// Whether the caller may run these statements.
    pub may_grant: bool,
}

/// Lets a role use the extension: `reader`, `daemon` or `operator`.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_grant(grantee: Option<Role>, capability: Option<&str>) {
    entry_as_caller(|| {
        let (role, capability) = checked(grantee, capability)?;
        grant(role, capability)
    })
}

/// Takes a capability from a role, with the privileges on tables that versions before 0.4.0 granted for it.
#[pg_extern]
#[search_path(@extschema@, pg_temp)]
fn multica_revoke(grantee: Option<Role>, capability: Option<&str>) {
    entry_as_caller(|| {
        let (role, capability) = checked(grantee, capability)?;
        // SAFETY: the name ends with a NUL byte. A call that finds nothing to revoke fails too.
        unsafe { pg_sys::PreventCommandIfReadOnly(c"multica_revoke()".as_ptr()) };
        revoke(role, capability)
    })
}

fn checked(grantee: Option<Role>, capability: Option<&str>) -> Result<(pg_sys::Oid, &str)> {
    version::check()?;
    let Role(role) = required("grantee", grantee)?;
    let capability = required("capability", capability)?;
    one_of("capability", capability, &CAPABILITIES)?;
    Ok((role, capability))
}

/// The place where a role is granted a capability, and what the caller may do there.
struct Context {
    schema: pg_sys::Oid,
    extension: pg_sys::Oid,
    caller: String,
    owner: String,
    may_grant: bool,
    is_installed: bool,
    tables_owner: Option<String>,
    role_name: Option<String>,
    is_role: bool,
    use_schema: Option<String>,
}

impl Context {
    fn read(row: &Row) -> Self {
        Self {
            schema: row.required("schema_oid"),
            extension: row.required("extension_oid"),
            caller: row.required("caller"),
            owner: row.required("owner"),
            may_grant: row.required("may_grant"),
            is_installed: row.required("is_installed"),
            tables_owner: row.column("tables_owner"),
            role_name: row.column("role_name"),
            is_role: row.required("is_role"),
            use_schema: row.column("use_schema"),
        }
    }

    /// Returns the place for a role that the caller is about to grant or revoke a capability. `verb` is one of these two
    /// words.
    fn of(role: pg_sys::Oid, verb: &str) -> Result<Self> {
        let context = CONTEXT.latest().row(&[arg(role)], Self::read);
        let context = context.expect("a function of the extension runs in a database that has it");
        if !context.may_grant {
            return Err(Error::Privilege {
                message: format!("{} is not allowed to {verb} privileges on the functions of multica", context.caller),
                detail: format!("The functions belong to {}.", context.owner),
                hint: format!("Run the function as {} or as a superuser.", context.owner),
            });
        }
        if !context.is_role {
            return Err(Error::not_found("role", role.to_u32()));
        }
        advisory_lock::one_at_a_time(context.extension);
        Ok(context)
    }

    /// Returns the statements about the privileges on the tables, or an error if the caller may not run them.
    fn privileges(&self, role: pg_sys::Oid, capability: &str, which: Which) -> Result<Option<String>> {
        // Before install, a table with such a name may have another purpose.
        if !self.is_installed {
            return Ok(None);
        }
        let args = [arg(role), arg(capability), arg(self.schema), arg(which.word())];
        let (statements, may_run) = PRIVILEGES.latest().row(&args, statements).unwrap_or_default();
        if may_run {
            return Ok(statements);
        }
        let verb = if matches!(which, Which::Held) { "revoke" } else { "grant" };
        Err(Error::Privilege {
            message: format!("{} is not allowed to {verb} privileges on the tables of multica", self.caller),
            detail: "The tables belong to another role.".into(),
            hint: "Run the function as a superuser.".into(),
        })
    }
}

/// The privileges on the tables that statements are about.
#[derive(Clone, Copy)]
enum Which {
    /// To be granted: all on the existing tables, because the role may later lose a privilege that it has only through
    /// another role.
    All,
    /// To be granted: those on the existing tables that the role does not have.
    Lacking,
    /// To be revoked: those that the owner of the tables granted.
    Held,
}

impl Which {
    fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Lacking => "lacking",
            Self::Held => "held",
        }
    }
}

/// Decodes the statements about privileges, and whether the caller may run them.
fn statements(row: &Row) -> (Option<String>, bool) {
    (row.get(1), row.must(2))
}

fn functions(capability: &str) -> Option<Vec<&'static str>> {
    capability::functions(capability).map(<[&str]>::to_vec)
}

fn grant(role: pg_sys::Oid, capability: &str) -> Result<()> {
    let context = Context::of(role, "grant")?;
    let mut scripts: Vec<String> = context.use_schema.clone().into_iter().collect();
    scripts.extend(grants(&context, role, capability)?);
    ddl::run(&scripts);
    Ok(())
}

/// Returns the statements that give a role a capability.
fn grants(context: &Context, role: pg_sys::Oid, capability: &str) -> Result<Vec<String>> {
    let execute = EXECUTE.row(&[arg(role), arg(functions(capability)), arg(false)], |row| row.get(1));
    let mut scripts: Vec<String> = execute.flatten().into_iter().collect();
    if acting::needs_privileges() {
        scripts.extend(context.privileges(role, capability, Which::All)?);
    }
    Ok(scripts)
}

/// Revokes everything that a capability includes, then grants again what the other capabilities of the role include.
/// USAGE on the schema stays: it allows no call, and the role may use other objects there.
fn revoke(role: pg_sys::Oid, capability: &str) -> Result<()> {
    let context = Context::of(role, "revoke")?;
    let name = context.role_name.clone().unwrap_or_default();
    let holders = HOLDERS.latest().rows(&[arg(context.tables_owner.clone())], holder).into_iter();
    let (given, kept): (Vec<String>, Vec<String>) =
        holders.filter(|holder| holder.role == role).map(|holder| holder.capability).partition(|it| it == capability);
    if given.is_empty() {
        not_held(&name, capability, kept.iter().any(|other| other == "operator"));
        return Ok(());
    }
    let names = functions(capability);
    let execute = EXECUTE.row(&[arg(role), arg(names.clone()), arg(true)], |row| row.get(1));
    let mut scripts: Vec<String> = execute.flatten().into_iter().collect();
    scripts.extend(context.privileges(role, capability, Which::Held)?);
    for other in &kept {
        scripts.extend(grants(&context, role, other)?);
    }
    ddl::run(&scripts);
    let remaining: Option<String> =
        REMAINING.row(&[arg(role), arg(names), arg(table_names())], |row| row.get(1)).flatten();
    if let Some(remaining) = remaining {
        notice(
            format!("{name} keeps privileges that other roles granted"),
            format!("{remaining}."),
            "The roles that granted them can revoke them.".into(),
        );
    }
    Ok(())
}

fn not_held(role: &str, capability: &str, is_operator: bool) {
    let message = format!("{role} does not have the capability {capability}, so nothing is revoked");
    if is_operator {
        let detail = format!("It has the capability operator, which includes {capability}.");
        let hint = "Revoke operator, then grant the capabilities that the role is to keep.";
        notice(message, detail, hint.into());
    } else {
        ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "multica").report(PgLogLevel::NOTICE);
    }
}

fn notice(message: String, detail: String, hint: String) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "multica")
        .set_detail(detail)
        .set_hint(hint)
        .report(PgLogLevel::NOTICE);
}

/// A role with a capability.
struct Holder {
    role: pg_sys::Oid,
    capability: String,
    name: String,
}

impl Holder {
    /// Whether the owner of the tables has granted the role privileges on them that a capability included before 0.4.0.
    fn has_privileges(&self, schema: pg_sys::Oid) -> bool {
        let args = [arg(self.role), arg(self.capability.as_str()), arg(schema), arg(Which::Held.word())];
        PRIVILEGES.row(&args, statements).is_some_and(|(revokes, _)| revokes.is_some())
    }
}

fn holder(row: &Row) -> Holder {
    Holder { role: row.required("role_oid"), capability: row.required("capability"), name: row.required("role_name") }
}

/// Returns the privileges that roles with a capability lack on the tables of `owner`, if calls may need them: all where
/// calls depend on the privileges of their callers; where calls only cannot act as the owner for now, those of roles that
/// have privileges on the tables from earlier versions.
pub fn lacking(schema: pg_sys::Oid, owner: String) -> Vec<Lacking> {
    let is_needed = acting::needs_privileges();
    if !is_needed && !acting::is_open() {
        return Vec::new();
    }
    let lacks = |holder: Holder| {
        if !is_needed && !holder.has_privileges(schema) {
            return None;
        }
        let args = [arg(holder.role), arg(holder.capability.as_str()), arg(schema), arg(Which::Lacking.word())];
        let (grants, may_grant) = PRIVILEGES.latest().row(&args, statements)?;
        Some(Lacking { object: format!("{} {}", holder.capability, holder.name), grants: grants?, may_grant })
    };
    HOLDERS.latest().rows(&[arg(owner)], holder).into_iter().filter_map(lacks).collect()
}

/// Returns the capabilities and roles that have privileges on the tables which versions before 0.4.0 granted and which
/// calls no longer need. Where a table has row-level security, calls may need them.
pub fn table_grants() -> Vec<String> {
    if acting::needs_privileges() {
        return Vec::new();
    }
    let Some(context) = CONTEXT.row(&[arg(pg_sys::InvalidOid)], Context::read) else {
        return Vec::new();
    };
    let holders = HOLDERS.rows(&[arg(context.tables_owner)], holder).into_iter();
    let have = holders.filter(|holder| holder.has_privileges(context.schema));
    have.map(|holder| format!("{} {}", holder.capability, holder.name)).collect()
}
