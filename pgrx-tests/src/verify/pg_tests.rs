//! The `#[pg_test]` functions: they are SQL functions of schema `tests`, each run in a transaction that is rolled back.

use anyhow::{Context, Result};

use crate::cluster::{Cluster, Options};
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;
use crate::report::Report;

const LIST: &str = "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                    WHERE n.nspname = 'tests' AND p.pronargs = 0 ORDER BY 1";

/// Runs every test function of the copy's build.
pub fn run(project: &Project, copy: &PostgresCopy, report: &mut Report) -> Result<()> {
    let cluster = Cluster::create(project, copy, &Options::new("pg_test"))?;
    let mut client = cluster.connect("postgres")?;
    client
        .batch_execute("CREATE EXTENSION multica")
        .context("the build with the test functions does not install")?;
    let names: Vec<String> = client
        .query(LIST, &[])?
        .iter()
        .map(|row| row.get(0))
        .collect();
    for name in names {
        report.case(&format!("pg_test/{name}"), || {
            let mut session = cluster.connect("postgres")?;
            let mut transaction = session.transaction()?;
            transaction.execute(&format!("SELECT tests.\"{name}\"()"), &[])?;
            transaction.rollback()?;
            Ok(())
        });
    }
    Ok(())
}
