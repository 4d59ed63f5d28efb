//! Grants capabilities to roles. A capability is stored only as the privileges of the role.

use pgrx::prelude::*;

use crate::argument::{one_of, required};
use crate::capability::{self, CAPABILITIES};
use crate::error::{Error, Result};
use crate::postgres::entry::entry;
use crate::postgres::role::Role;
use crate::postgres::statement::{Statement, arg};
use crate::postgres::{advisory_lock, ddl};
use crate::version;

static CONTEXT: Statement = Statement::volatile(sql!("grant/context.sql"));
static EXECUTE: Statement = Statement::volatile(sql!("grant/execute.sql"));
static PRIVILEGES: Statement = Statement::volatile(sql!("grant/privileges.sql"));
static HOLDERS: Statement = Statement::volatile(sql!("grant/holders.sql"));

extension_sql_file!("../sql/extension/comments/grant.sql", name = "grant_comments", requires = [multica_grant]);

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
    entry(|| {
        version::check()?;
        let Role(role) = required("grantee", grantee)?;
        let capability = required("capability", capability)?;
        one_of("capability", capability, &CAPABILITIES)?;
        grant(role, capability)
    })
}

/// The place where a role is granted a capability, and what the caller may do there.
struct Context {
    schema: pg_sys::Oid,
    extension: pg_sys::Oid,
    caller: String,
    owner: String,
    may_grant: bool,
    is_installed: bool,
    is_role: bool,
    use_schema: Option<String>,
}

fn grant(role: pg_sys::Oid, capability: &str) -> Result<()> {
    let context = CONTEXT.row(&[arg(role)], |row| Context {
        schema: row.required("schema_oid"),
        extension: row.required("extension_oid"),
        caller: row.required("caller"),
        owner: row.required("owner"),
        may_grant: row.required("may_grant"),
        is_installed: row.required("is_installed"),
        is_role: row.required("is_role"),
        use_schema: row.column("use_schema"),
    });
    let context = context.expect("a function of the extension runs in a database that has it");
    if !context.may_grant {
        return Err(Error::Privilege {
            message: format!("{} is not allowed to grant privileges on the functions of multica", context.caller),
            detail: format!("The functions belong to {}.", context.owner),
            hint: format!("Run the function as {} or as a superuser.", context.owner),
        });
    }
    if !context.is_role {
        return Err(Error::not_found("role", role.to_u32()));
    }
    advisory_lock::one_at_a_time(context.extension);
    let functions = capability::functions(capability).map(<[&str]>::to_vec);
    let execute = EXECUTE.row(&[arg(role), arg(functions)], |row| row.get(1));
    let mut scripts: Vec<String> = context.use_schema.into_iter().collect();
    scripts.extend(execute.flatten());
    // Before install, a table with such a name may have another purpose.
    if context.is_installed {
        let (grants, may_grant) = privileges(context.schema, role, capability, false);
        if !may_grant {
            return Err(Error::Privilege {
                message: format!("{} is not allowed to grant privileges on the tables of multica", context.caller),
                detail: "The tables belong to another role.".into(),
                hint: "Run the function as a superuser.".into(),
            });
        }
        scripts.extend(grants);
    }
    ddl::run(&scripts);
    Ok(())
}

/// Returns the statements that grant a role the privileges on the tables that a capability needs, and whether the
/// caller may run them. With `lacking`, these are only the privileges that the role does not have, including those on
/// tables and columns that do not exist yet. Otherwise they are all privileges on the existing tables, because the role
/// may later lose a privilege that it has only through another role.
fn privileges(schema: pg_sys::Oid, role: pg_sys::Oid, capability: &str, lacking: bool) -> (Option<String>, bool) {
    let args = [arg(role), arg(capability), arg(schema), arg(lacking)];
    PRIVILEGES.row(&args, |row| (row.get(1), row.must(2))).expect("an aggregate gives a row")
}

/// Returns the privileges that roles with a capability lack on the tables of `owner`, including the tables that install
/// is going to make, because capabilities may be granted before the tables exist.
pub fn lacking(schema: pg_sys::Oid, owner: String) -> Vec<Lacking> {
    let holders: Vec<(pg_sys::Oid, String, String)> = HOLDERS
        .rows(&[arg(owner)], |row| (row.required("role_oid"), row.required("capability"), row.required("role_name")));
    let lacks = |(role, capability, name): (pg_sys::Oid, String, String)| {
        let (grants, may_grant) = privileges(schema, role, &capability, true);
        Some(Lacking { object: format!("{capability} {name}"), grants: grants?, may_grant })
    };
    holders.into_iter().filter_map(lacks).collect()
}
