//! An updated database has the catalogue of a fresh install.

use anyhow::{Result, ensure};

use super::inventory::{Inventory, callable_by_public};
use super::support::{ROLES, UPDATE, cluster, current, database_of_release};
use crate::cluster::{Cluster, Options};
use crate::context::Context;
use crate::database::Database;
use crate::release;

/// An updated database must not differ from a new one, because otherwise some bugs would exist only in updated
/// databases, where no test finds them.
pub fn updated_catalogue_equals_fresh_install(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("fresh"))?;
    let fresh = create(context, &cluster, None)?;
    let expected = Inventory::read(context, &mut fresh.connect()?)?;
    for release in release::all(&context.project)? {
        let database = create(context, &cluster, Some(&release.version))?;
        let mut client = database.connect()?;
        Inventory::read(context, &mut client)?.expect(&expected)?;
        let callable = callable_by_public(&mut client)?;
        ensure!(callable == 0, "PUBLIC may call {callable} functions");
    }
    Ok(())
}

/// Creates the extension and its tables in a separate schema, updated from a version if one is given.
fn create<'a>(context: &Context, cluster: &'a Cluster, version: Option<&str>) -> Result<Database<'a>> {
    let database = context.empty_database_in(cluster)?;
    let from = version.map_or(String::new(), |version| format!("VERSION '{version}'"));
    database.connect()?.batch_execute(&format!(
        "CREATE SCHEMA fleet; CREATE EXTENSION multica SCHEMA fleet {from}; SET search_path = fleet; {UPDATE}"
    ))?;
    Ok(database)
}

/// No capability has to be granted again after an update. The tables are those of a real database of the release, with
/// its rows.
pub fn update_keeps_grants(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("grants"))?;
    let fresh = context.fresh_database_in(&cluster)?;
    let mut client = fresh.connect()?;
    for (capability, role) in ROLES {
        client.batch_execute(&format!("SELECT multica_grant('{role}', '{capability}')"))?;
    }
    let expected = Inventory::read(context, &mut client)?;
    let roles = ROLES.map(|(_, role)| role);
    let current = current(&cluster)?;
    for release in release::all(&context.project)? {
        let database = database_of_release(context, &cluster, &release)?;
        let mut client = database.connect()?;
        client.batch_execute(UPDATE)?;
        let version: String = client.query_one("SELECT multica_version()", &[])?.get(0);
        ensure!(version == current, "updated to {version}");
        Inventory::read(context, &mut client)?.expect_with_earlier_privileges(&expected, &roles)?;
        for (capability, role) in ROLES {
            client.batch_execute(&format!("SELECT multica_grant('{role}', '{capability}')"))?;
        }
        Inventory::read(context, &mut client)?.expect_with_earlier_privileges(&expected, &roles)?;
    }
    Ok(())
}

/// New objects must belong to the owner of the extension and not to the role that ran the update, because otherwise the
/// owner could not grant them.
pub fn update_by_another_superuser_keeps_owners(context: &Context) -> Result<()> {
    let cluster = cluster(context, &Options::new("owners"))?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("CREATE ROLE first SUPERUSER LOGIN; CREATE ROLE second SUPERUSER LOGIN")?;
    for release in release::all(&context.project)? {
        let database = context.empty_database_in(&cluster)?;
        database
            .connect_as("first")?
            .batch_execute(&format!("CREATE EXTENSION multica VERSION '{}'", release.version))?;
        let mut second = database.connect_as("second")?;
        second.batch_execute("ALTER EXTENSION multica UPDATE")?;
        let taken: Vec<String> = second
            .query(
                "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
                 WHERE refobjid = 'second'::regrole AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
                &[],
            )?
            .iter()
            .map(|row| row.get(0))
            .collect();
        ensure!(taken.is_empty(), "objects of the second superuser: {taken:?}");
    }
    Ok(())
}
