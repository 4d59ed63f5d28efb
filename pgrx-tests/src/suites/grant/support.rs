//! Login roles with a capability, and the calls that each capability is for.

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use crate::context::Context;
use crate::database::Database;

/// The capabilities.
pub const CAPABILITIES: [&str; 3] = ["reader", "daemon", "operator"];

/// A database with tasks, and without grants.
pub fn world(context: &Context) -> Result<Database<'_>> {
    let database = context.fresh_database()?;
    database.fixture("grant/world")?;
    Ok(database)
}

/// Creates a login role for this database, without grants.
pub fn role(database: &Database, name: &str) -> Result<String> {
    let role = format!("{}_{name}", database.name);
    database.connect()?.batch_execute(&format!("CREATE ROLE {role} LOGIN"))?;
    Ok(role)
}

/// Creates a login role for this database, with a capability.
pub fn holder(database: &Database, capability: &str) -> Result<String> {
    let role = role(database, capability)?;
    grant(&mut database.connect()?, &role, capability)?;
    Ok(role)
}

/// Grants a capability.
pub fn grant(client: &mut Client, role: &str, capability: &str) -> Result<()> {
    client.batch_execute(&format!("SELECT multica_grant('{role}', '{capability}')"))?;
    Ok(())
}

/// The calls that a role with this capability must be able to make.
pub fn story(context: &Context, capability: &str) -> Result<String> {
    let file = context.fixtures().join(format!("grant/{capability}.sql"));
    std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// Runs statements and rolls them back. Returns None if they succeed, otherwise the SQLSTATE and the message.
pub fn attempt(client: &mut Client, sql: &str) -> Result<Option<(String, String)>> {
    let mut transaction = client.transaction()?;
    let outcome = transaction.batch_execute(sql);
    transaction.rollback()?;
    match outcome {
        Ok(()) => Ok(None),
        Err(error) => {
            let error = error.as_db_error().context("no error of the server")?;
            let text = format!("{} ({})", error.message(), error.where_().unwrap_or(""));
            Ok(Some((error.code().code().to_string(), text)))
        }
    }
}

/// A routine of the extension, and a call of it with NULL for every argument.
pub struct Routine {
    /// Its name.
    pub name: String,
    /// The call.
    pub call: String,
}

/// Every routine of the extension.
pub fn routines(client: &mut Client) -> Result<Vec<Routine>> {
    let found: Vec<Routine> = client
        .query(
            "SELECT p.proname::text,
                format(
                    CASE p.prokind WHEN 'p' THEN 'CALL %I(%s)' ELSE 'SELECT FROM %I(%s)' END, p.proname,
                    (SELECT string_agg(format('NULL::%s', format_type(t.oid, NULL)), ', ' ORDER BY t.at)
                     FROM unnest(p.proargtypes) WITH ORDINALITY AS t (oid, at))
                )
             FROM pg_depend AS d
             JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
             JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
             WHERE e.extname = 'multica' AND d.deptype = 'e' ORDER BY 1",
            &[],
        )?
        .iter()
        .map(|row| Routine { name: row.get(0), call: row.get(1) })
        .collect();
    ensure!(found.len() > 50, "the extension has {} routines", found.len());
    Ok(found)
}
