//! The `#[pg_test]` functions. They are SQL functions of schema `tests`, and each runs in a transaction that is rolled
//! back. Errors are tested in golden files instead, which contain the SQLSTATE and the hint too.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};

use crate::cluster::{Cluster, Options};
use crate::postgres_copy::PostgresCopy;
use crate::project::Project;

const LIST: &str = "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
                    WHERE n.nspname = 'tests' AND p.pronargs = 0 ORDER BY 1";

/// Returns the names of the functions. They are read from the sources, so that a list of tests needs no build.
pub fn list(project: &Project) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (file, text) in project.sources("src")? {
        for rest in text.split("#[pg_test]").skip(1) {
            let (_, rest) = rest.split_once("fn ").with_context(|| format!("{file} has a test that is no function"))?;
            names.push(rest.split('(').next().unwrap_or(rest).to_string());
        }
    }
    names.sort();
    Ok(names)
}

/// A cluster with the build that contains the test functions.
pub struct TestFunctions {
    cluster: Cluster,
    running: Mutex<()>,
}

impl TestFunctions {
    /// Starts the cluster. Fails if the build has a function that is not in the list, because it would never run.
    pub fn install(project: &Project, copy: &PostgresCopy) -> Result<TestFunctions> {
        let cluster = Cluster::create(project, copy, &Options::new("pg_test"))?;
        let mut client = cluster.connect("postgres")?;
        client.batch_execute("CREATE EXTENSION multica")?;
        let rows = client.query(LIST, &[])?;
        let built: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let listed = list(project)?;
        ensure!(built == listed, "the sources list other test functions than the build has: {listed:?}, {built:?}");
        Ok(TestFunctions { cluster, running: Mutex::new(()) })
    }

    /// Runs one function, while no other function runs in the cluster.
    pub fn run(&self, name: &str) -> Result<()> {
        let _running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = self.cluster.connect("postgres")?;
        let mut transaction = session.transaction()?;
        transaction.execute(&format!("SELECT tests.\"{name}\"()"), &[])?;
        transaction.rollback()?;
        Ok(())
    }
}
