//! The `#[pg_test]` functions: they are SQL functions of schema `tests`, each run in a transaction that is rolled
//! back. What is to end in an error belongs into a golden file, where its SQLSTATE and hint are seen too.

use anyhow::Result;

use crate::cluster::{Cluster, Options};
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;
use crate::report::Report;

const LIST: &str = "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                    WHERE n.nspname = 'tests' AND p.pronargs = 0 ORDER BY 1";

/// A cluster with the build that has the test functions.
pub struct TestFunctions {
    cluster: Cluster,
    names: Vec<String>,
}

impl TestFunctions {
    /// Starts the cluster and lists the functions.
    pub fn install(project: &Project, copy: &PostgresCopy) -> Result<TestFunctions> {
        let cluster = Cluster::create(project, copy, &Options::new("pg_test"))?;
        let mut client = cluster.connect("postgres")?;
        client.batch_execute("CREATE EXTENSION multica")?;
        let names = client
            .query(LIST, &[])?
            .iter()
            .map(|row| row.get(0))
            .collect();
        Ok(TestFunctions { cluster, names })
    }

    /// Runs every function.
    pub fn run(&self, report: &mut Report) {
        for name in &self.names {
            report.case(&format!("pg_test/{name}"), || {
                let mut session = self.cluster.connect("postgres")?;
                let mut transaction = session.transaction()?;
                transaction.execute(&format!("SELECT tests.\"{name}\"()"), &[])?;
                transaction.rollback()?;
                Ok(())
            });
        }
    }
}
