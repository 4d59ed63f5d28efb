//! The part of the catalogue that decides whether a call acts as the owner of the tables.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::NonNull;

use pgrx::array::RawArray;
use pgrx::prelude::*;

use super::watch;
use crate::postgres::features::names;
use crate::postgres::system_cache::SystemCacheRow;

/// What a session has read.
pub struct Catalogue {
    /// The owner of the tables. None if there are no tables, if they have several owners, or if the owner may not use the
    /// schema.
    pub owner: Option<pg_sys::Oid>,
    /// Whether the tables have several owners. A trigger of one of them would run as the other one.
    pub has_several_owners: bool,
    /// Whether row-level security is enabled on one of the tables.
    pub has_row_security: bool,
    /// The roles that may create objects in the schema and are not trusted, written as in SQL.
    pub creators: Vec<String>,
    /// The schema, written as in SQL.
    pub schema_name: String,
    /// The tables that exist.
    tables: Vec<pg_sys::Oid>,
}

impl Catalogue {
    /// Reads the catalogue as it is now. The first of the names is that of the table whose owner owns all tables.
    pub fn read(names: &[CString]) -> Self {
        let mut read = Self {
            owner: None,
            has_several_owners: false,
            has_row_security: false,
            creators: Vec::new(),
            schema_name: String::new(),
            tables: Vec::new(),
        };
        let Some(extension) = names::extension() else { return read };
        let schema = extension.schema;
        // Objects are watched before they are read, so that no change is missed in between.
        watch::watch_names(names.iter().map(|name| names::hash(schema, name)).collect());
        let found = names.iter().map(|name| names::relation(schema, name));
        let found: Vec<pg_sys::Oid> = found.collect();
        watch::watch_tables(found.clone());
        let tables: Vec<Option<Table>> = found.iter().map(|oid| Table::read(*oid)).collect();
        let existing = found.iter().zip(&tables).filter(|(_, table)| table.is_some());
        read.tables = existing.map(|(oid, _)| *oid).collect();
        read.has_row_security = tables.iter().flatten().any(|table| table.has_row_security);
        let owner = tables.first().and_then(|first| Some(first.as_ref()?.owner));
        read.has_several_owners = tables.iter().flatten().any(|table| owner.is_some_and(|owner| table.owner != owner));
        read.owner = owner.filter(|owner| !read.has_several_owners && may_use(schema, *owner));
        if let Some(owner) = owner {
            read.schema_name = schema_name(schema);
            read.creators = creators(schema, &[owner, extension.owner]);
        }
        read
    }

    /// Whether policies of one of the tables apply to this role.
    pub fn filters(&self, role: pg_sys::Oid) -> bool {
        let applies = pg_sys::CheckEnableRlsResult::RLS_ENABLED as c_int;
        // SAFETY: called in a transaction; a table that was dropped has no policies.
        self.tables.iter().any(|table| unsafe { pg_sys::check_enable_rls(*table, role, true) } == applies)
    }
}

struct Table {
    owner: pg_sys::Oid,
    has_row_security: bool,
}

impl Table {
    /// Reads a row of pg_class. Returns None if there is no such row, or if it is not the row of a table.
    fn read(oid: pg_sys::Oid) -> Option<Self> {
        let row = SystemCacheRow::<pg_sys::FormData_pg_class>::find(oid)?;
        let class = row.columns();
        let is_table = [pg_sys::RELKIND_RELATION as c_char, pg_sys::RELKIND_PARTITIONED_TABLE as c_char];
        let is_table = is_table.contains(&class.relkind);
        is_table.then_some(Self { owner: class.relowner, has_row_security: class.relrowsecurity })
    }
}

/// Whether a role may look names up in the schema.
fn may_use(schema: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    let mode = pg_sys::ACL_USAGE as pg_sys::AclMode;
    // SAFETY: called in a transaction.
    #[cfg(any(feature = "pg14", feature = "pg15"))]
    let result = unsafe { pg_sys::pg_namespace_aclcheck(schema, role, mode) };
    // SAFETY: as above.
    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    let result = unsafe { pg_sys::object_aclcheck(pg_sys::NamespaceRelationId, schema, role, mode) };
    result == pg_sys::AclResult::ACLCHECK_OK
}

/// Returns the roles that were granted CREATE on the schema, without superusers and roles that control the schema or the
/// functions in any case: its owner, the owner of the database, and `trusted`.
fn creators(schema: pg_sys::Oid, trusted: &[pg_sys::Oid]) -> Vec<String> {
    let Some(row) = SystemCacheRow::<pg_sys::FormData_pg_namespace>::find(schema) else { return Vec::new() };
    let owner = row.columns().nspowner;
    let trusted = [trusted, &[owner, database_owner(), pg_sys::ROLE_PG_DATABASE_OWNER.into()]].concat();
    let Some(list) = row.column(pg_sys::Anum_pg_namespace_nspacl) else { return Vec::new() };
    // SAFETY: the column is an array of items without NULLs. The row is released after its last use.
    let items = unsafe {
        let list = NonNull::new(pg_sys::pg_detoast_datum(list.cast_mut_ptr())).expect("not NULL");
        RawArray::from_ptr(list.cast()).data::<pg_sys::AclItem>().as_ref().to_vec()
    };
    let create = pg_sys::ACL_CREATE as pg_sys::AclMode;
    let granted = items.iter().filter(|item| item.ai_privs & create != 0).map(|item| item.ai_grantee);
    // SAFETY: called in a transaction. PUBLIC is no role, and therefore no superuser.
    let is_trusted = |role: &pg_sys::Oid| trusted.contains(role) || unsafe { pg_sys::superuser_arg(*role) };
    let mut roles: Vec<pg_sys::Oid> = granted.filter(|role| !is_trusted(role)).collect();
    roles.sort_unstable_by_key(|role| role.to_u32());
    roles.dedup();
    roles.into_iter().map(role_name).collect()
}

fn database_owner() -> pg_sys::Oid {
    // SAFETY: a variable of this process, set when it connected to its database.
    let database = unsafe { pg_sys::MyDatabaseId };
    let row = SystemCacheRow::<pg_sys::FormData_pg_database>::find(database);
    row.map_or(pg_sys::InvalidOid, |row| row.columns().datdba)
}

fn role_name(role: pg_sys::Oid) -> String {
    if role == pg_sys::InvalidOid {
        return "PUBLIC".into();
    }
    // SAFETY: called in a transaction; the name of a role that was dropped is NULL.
    written(unsafe { pg_sys::GetUserNameFromId(role, true) })
}

fn schema_name(schema: pg_sys::Oid) -> String {
    // SAFETY: called in a transaction; the name of a schema that was dropped is NULL.
    written(unsafe { pg_sys::get_namespace_name(schema) })
}

/// Returns a name as it is written in SQL.
fn written(name: *const c_char) -> String {
    if name.is_null() {
        return String::new();
    }
    // SAFETY: Postgres ends its names with a NUL byte.
    unsafe { CStr::from_ptr(pg_sys::quote_identifier(name)) }.to_string_lossy().into_owned()
}
