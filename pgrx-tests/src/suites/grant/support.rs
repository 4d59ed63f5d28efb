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

/// As [`world`], with row-level security on every table and policies that show all rows: calls run with the privileges
/// of their caller.
pub fn world_with_policies(context: &Context) -> Result<Database<'_>> {
    let database = world(context)?;
    database.fixture("row_security/policies")?;
    Ok(database)
}

/// Gives every table of schema public to a role, and lets it call every function.
pub fn give_tables(client: &mut Client, role: &str) -> Result<()> {
    client.batch_execute(&format!(
        "DO $$ DECLARE name regclass; BEGIN
             FOR name IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO {role}', name);
             END LOOP;
         END $$;
         SELECT FROM multica_install()"
    ))?;
    Ok(())
}

/// The privileges on tables and columns that a role was granted.
pub fn grants(client: &mut Client, role: &str) -> Result<Vec<String>> {
    let granted = client.query(
        "SELECT format('%s ON %s', a.privilege_type, c.oid::regclass)
         FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE a.grantee = $1::text::regrole
         UNION ALL
         SELECT format('%s (%I) ON %s', a.privilege_type, k.attname, c.oid::regclass)
         FROM pg_class AS c JOIN pg_attribute AS k ON k.attrelid = c.oid, aclexplode(k.attacl) AS a
         WHERE a.grantee = $1::text::regrole ORDER BY 1",
        &[&role],
    )?;
    Ok(granted.iter().map(|row| row.get(0)).collect())
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
