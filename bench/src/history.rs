//! Databases with finished tasks: each is loaded once, then copied.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::Result;
use multica_harness::cluster::Cluster;
use multica_harness::context::Context;
use multica_harness::database::Database;
use postgres::Client;

use crate::bench::server_database;
use crate::files;

/// The tables of a database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tables {
    /// Those that install makes.
    Own,
    /// Those of the newest server.
    OfServer,
}

/// The fleet of the claim cycle with a number of finished tasks.
pub struct Histories<'a> {
    context: &'a Context,
    cluster: &'a Cluster,
    loaded: RefCell<BTreeMap<(Tables, i64), Database<'a>>>,
}

impl<'a> Histories<'a> {
    /// Returns an empty collection; databases are loaded when they are first needed.
    pub fn new(context: &'a Context, cluster: &'a Cluster) -> Histories<'a> {
        Histories { context, cluster, loaded: RefCell::default() }
    }

    /// Returns a copy of the database with this number of finished tasks, in the tables that install makes.
    pub fn copy(&self, tasks: i64) -> Result<Database<'a>> {
        self.copy_in(Tables::Own, tasks)
    }

    /// As [`Histories::copy`], in these tables.
    pub fn copy_in(&self, tables: Tables, tasks: i64) -> Result<Database<'a>> {
        let key = (tables, tasks);
        if !self.loaded.borrow().contains_key(&key) {
            let database = self.load(tables, tasks)?;
            self.loaded.borrow_mut().insert(key, database);
        }
        let loaded = self.loaded.borrow();
        Database::copy(self.cluster, &loaded[&key].name, &self.context.fixtures())
    }

    fn load(&self, tables: Tables, tasks: i64) -> Result<Database<'a>> {
        let database = match tables {
            Tables::Own => self.context.fresh_database_in(self.cluster)?,
            Tables::OfServer => server_database(self.context, self.cluster)?,
        };
        let mut client = database.connect()?;
        let text = |name: &str| files::sql(&self.context.project, name);
        client.batch_execute(&text("multica/fleet.sql")?)?;
        if tasks > 0 {
            self::load(&mut client, &text("multica/history.sql")?, tasks)?;
        }
        client.batch_execute("VACUUM (FREEZE, ANALYZE)")?;
        Ok(database)
    }
}

/// Runs a statement that inserts `tasks` rows. The secondary indexes of all tables are dropped before it and created
/// again after it, because that takes a third of the time for a table with a dozen indexes.
pub fn load(client: &mut Client, insert: &str, tasks: i64) -> Result<()> {
    let mut transaction = client.transaction()?;
    let indexes = transaction.query(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) \
         FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid \
         WHERE c.oid >= 16384 AND c.relkind = 'r' AND NOT c.relispartition AND NOT i.indisunique",
        &[],
    )?;
    for index in &indexes {
        transaction.batch_execute(&format!("DROP INDEX {}", index.get::<_, &str>(0)))?;
    }
    transaction.batch_execute("SET LOCAL session_replication_role = replica")?;
    transaction.execute(insert, &[&tasks])?;
    for index in &indexes {
        transaction.batch_execute(index.get(1))?;
    }
    Ok(transaction.commit()?)
}
