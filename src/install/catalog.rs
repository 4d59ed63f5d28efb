//! Reads the shape of tables from the catalogue: of the tables that the files in `sql/tables` declare, and of the
//! tables that exist.

use std::collections::HashSet;

use pgrx::prelude::*;

use super::origin::Origin;
use super::tables::{REST, TABLES, TASKS, added, later, lease_and_retry, table_names};
use crate::postgres::ddl;
use crate::postgres::statement::{Row, Statement, arg};
use crate::postgres::subtransaction::rolled_back;

static FOUND: Statement = Statement::volatile(sql!("install/tables.sql"));
static COLUMNS: Statement = Statement::volatile(sql!("install/columns.sql"));
static CONSTRAINTS: Statement = Statement::volatile(sql!("install/constraints.sql"));
static INDEXES: Statement = Statement::volatile(sql!("install/indexes.sql"));
static PARTS: Statement = Statement::volatile(sql!("install/parts.sql"));
static TEMPORARY: Statement = Statement::volatile(sql!("install/temporary.sql"));
static SET_LOCAL: Statement = Statement::volatile(sql!("install/set_local.sql"));

/// A relation with the name of one of the tables.
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Whether it is an ordinary or partitioned table.
    pub is_table: bool,
    /// Name of its owner.
    pub owner: String,
    /// Whether the caller has the owner's rights.
    pub is_ours: bool,
}

/// A column of a table.
pub struct Column {
    /// Name of its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub oid: pg_sys::Oid,
    /// Its type in words.
    pub type_name: String,
    /// Whether it is NOT NULL.
    pub not_null: bool,
    /// Whether it has a default or is an identity.
    pub has_default: bool,
    /// The statement that adds it to its table.
    pub add: String,
    /// The statement that sets it NOT NULL.
    pub set_not_null: String,
    /// The statement that lets it be NULL.
    pub drop_not_null: String,
    /// The statement that sets its default, if it has one.
    pub set_default: Option<String>,
}

/// A constraint of a table, or a unique index that enforces the same.
pub struct Constraint {
    /// Name of its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Equal for two constraints with the same meaning.
    pub signature: String,
    /// The statement that adds it to its table.
    pub add: String,
    /// The statement that puts it in the place of another constraint of its name; none for an index.
    pub replace: Option<String>,
    /// The statement that validates it; none for an index.
    pub validate: Option<String>,
    /// Whether it holds for every row.
    pub is_validated: bool,
    /// The table that a foreign key refers to.
    pub refers_to: Option<String>,
}

impl Constraint {
    /// Whether it can be added without a scan: a check or a foreign key.
    pub fn can_be_unvalidated(&self) -> bool {
        self.signature.starts_with("check ") || self.signature.starts_with("foreign key ")
    }
}

/// An index of a table.
pub struct Index {
    /// Name of its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its keys in order, each with its operator class and direction.
    pub keys: Vec<String>,
    /// Its predicate, empty for none.
    pub predicate: String,
    /// Whether it is unique.
    pub unique: bool,
    /// Whether it can be used. A failed CREATE INDEX CONCURRENTLY leaves an index that cannot be used.
    pub usable: bool,
    /// Whether it belongs to a constraint.
    pub of_constraint: bool,
    /// The statement that creates it.
    pub create: String,
    /// The statement that drops it.
    pub drop: String,
}

/// Anything else that belongs to a table: a default, a comment, a trigger, a trigger's function.
pub struct Part {
    /// Name of its table.
    pub table: Option<String>,
    /// Name of the object to which the part belongs, or which is the part.
    pub object: String,
    /// Kind of the part.
    pub kind: String,
    /// Equal for two parts with the same meaning.
    pub value: String,
    /// The statement that creates or restores it.
    pub mend: String,
}

impl Part {
    /// Whether it is a trigger or the function of a trigger.
    pub fn is_trigger(&self) -> bool {
        matches!(self.kind.as_str(), "function" | "trigger")
    }
}

/// Columns, constraints, indexes and other parts of the tables in one schema.
pub struct Shape {
    /// Every column.
    pub columns: Vec<Column>,
    /// Every constraint.
    pub constraints: Vec<Constraint>,
    /// Every index, those of constraints included.
    pub indexes: Vec<Index>,
    /// Every other part.
    pub parts: Vec<Part>,
}

/// What the files declare.
pub struct DeclaredSchema {
    /// Everything that they declare.
    pub all: Shape,
    /// What each CREATE TABLE itself creates, by table and name: columns, constraints, indexes.
    pub with_table: HashSet<(String, String)>,
    /// What install may add to an adopted table, by table and name.
    pub addable: HashSet<(String, String)>,
    /// What the server's later migrations made, by table and name. Install adds it to tables of its own making.
    pub later: HashSet<(String, String)>,
}

impl DeclaredSchema {
    /// Creates the tables as temporary tables, reads their shape and rolls them back. Therefore only the files define
    /// the shape, and the catalogue describes both sides of a comparison in the same form. The statements are written
    /// for `schema`. A table that the server has made is declared with the features that it has.
    pub fn declare(schema: &str, origin: &Origin) -> Self {
        rolled_back(|| {
            set_local("search_path", "pg_temp");
            for table in &TABLES {
                ddl::run(&[table.shape(|feature| origin.has(table.name, feature))]);
            }
            let namespace = TEMPORARY.row(&[], |row| row.must::<pg_sys::Oid>(1)).unwrap_or(pg_sys::InvalidOid);
            let with_table = Shape::read(namespace, schema).names();
            ddl::run(&REST);
            let servers = Shape::read(namespace, schema).names();
            ddl::run(&[lease_and_retry(|feature| origin.has(TASKS, feature))]);
            let before_later = Shape::read(namespace, schema).names();
            ddl::run(&later(|table, feature| origin.has(table, feature)));
            let later: HashSet<_> = Shape::read(namespace, schema).names().difference(&before_later).cloned().collect();
            ddl::run(&added("pg_temp", |table, feature| origin.has(table, feature)));
            let mut all = Shape::read(namespace, schema);
            let is_addable = |it: &(String, String)| !servers.contains(it) && !later.contains(it);
            let addable = all.names().into_iter().filter(is_addable).collect();
            let path = pgrx::spi::quote_identifier(schema);
            let extras = TABLES.iter().map(|table| table.extra("pg_temp", &path));
            ddl::run(&extras.collect::<Vec<_>>());
            all.parts = parts(namespace, schema);
            Self { all, with_table, addable, later }
        })
    }
}

impl Shape {
    /// Reads the tables of one namespace; the statements are written for `schema`.
    pub fn read(namespace: pg_sys::Oid, schema: &str) -> Self {
        let args = || [arg(namespace), arg(table_names()), arg(schema.to_string())];
        Self {
            columns: COLUMNS.rows(&args(), column),
            constraints: CONSTRAINTS.rows(&args(), constraint),
            indexes: INDEXES.rows(&args(), index),
            parts: parts(namespace, schema),
        }
    }

    fn names(&self) -> HashSet<(String, String)> {
        let columns = self.columns.iter().map(|it| (&it.table, &it.name));
        let constraints = self.constraints.iter().map(|it| (&it.table, &it.name));
        let indexes = self.indexes.iter().map(|it| (&it.table, &it.name));
        let parts = self.parts.iter().filter(|it| it.is_trigger());
        let parts = parts.filter_map(|it| Some((it.table.as_ref()?, &it.object)));
        columns
            .chain(constraints)
            .chain(indexes)
            .chain(parts)
            .map(|(table, name)| (table.clone(), name.clone()))
            .collect()
    }
}

/// Returns the relations of a namespace that have the name of one of the tables, in the order of the tables.
pub fn relations(namespace: pg_sys::Oid) -> Vec<Relation> {
    FOUND.rows(&[arg(namespace), arg(table_names())], |row| Relation {
        name: row.required("name"),
        is_table: matches!(row.required::<String>("kind").as_str(), "r" | "p"),
        owner: row.required("owner"),
        is_ours: row.required("is_ours"),
    })
}

/// Sets a parameter until the end of the transaction or subtransaction.
pub fn set_local(name: &str, value: &str) {
    SET_LOCAL.run(&[arg(name.to_string()), arg(value.to_string())]);
}

fn parts(namespace: pg_sys::Oid, schema: &str) -> Vec<Part> {
    let args = [arg(namespace), arg(table_names()), arg(schema.to_string())];
    PARTS.rows(&args, |row| Part {
        table: row.column("table_name"),
        object: row.required("object"),
        kind: row.required("kind"),
        value: row.required("value"),
        mend: row.required("mend"),
    })
}

fn column(row: &Row) -> Column {
    Column {
        table: row.required("table_name"),
        name: row.required("name"),
        oid: row.required("type_oid"),
        type_name: row.required("type_name"),
        not_null: row.required("not_null"),
        has_default: row.required("has_default"),
        add: row.required("add_column"),
        set_not_null: row.required("set_not_null"),
        drop_not_null: row.required("drop_not_null"),
        set_default: row.column("set_default"),
    }
}

fn constraint(row: &Row) -> Constraint {
    Constraint {
        table: row.required("table_name"),
        name: row.required("name"),
        signature: row.required("signature"),
        add: row.required("add_constraint"),
        replace: row.column("replace_constraint"),
        validate: row.column("validate_constraint"),
        is_validated: row.required("is_validated"),
        refers_to: row.column("refers_to"),
    }
}

fn index(row: &Row) -> Index {
    Index {
        table: row.required("table_name"),
        name: row.required("name"),
        keys: row.required("keys"),
        predicate: row.required("predicate"),
        unique: row.required("is_unique"),
        usable: row.required("is_usable"),
        of_constraint: row.required("of_constraint"),
        create: row.required("create_index"),
        drop: row.required("drop_index"),
    }
}
