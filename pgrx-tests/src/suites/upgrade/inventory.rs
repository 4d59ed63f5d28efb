//! Inventorys of two catalogues, and what is different in them, object by object.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use crate::context::Context;

/// A property of an object.
type Key = (String, String);

/// All that the extension and its install left in a database.
pub struct Inventory(BTreeMap<Key, Part>);

struct Part {
    /// What the property is.
    is: String,
    /// What makes it so, where a script can.
    statement: Option<String>,
}

impl Inventory {
    /// Takes the picture of a database that has the extension, and its tables in the same schema.
    pub fn take(context: &Context, client: &mut Client) -> Result<Inventory> {
        let file = context.fixtures().join("releases/installed.sql");
        let query = std::fs::read_to_string(file)?;
        let mut parts = BTreeMap::new();
        for row in client.query(query.trim_end(), &[])? {
            let (key, part) = ((row.get(0), row.get(1)), Part { is: row.get(2), statement: row.get(3) });
            ensure!(parts.insert(key, part).is_none(), "the picture shows a property twice");
        }
        ensure!(parts.len() > 500, "the picture has {} parts", parts.len());
        Ok(Inventory(parts))
    }

    /// Fails with each object that an update left different, how, and the statement that an update script lacks.
    pub fn expect(&self, fresh: &Inventory) -> Result<()> {
        let differences = self.differences(fresh, |_| true);
        ensure!(
            differences.is_empty(),
            "{} differences between an updated database and a fresh one. What is different has to be brought by the script in \
             sql/ that leads to the version in the making (docs/developing.md).\n\n{}",
            differences.len(),
            differences.join("\n")
        );
        Ok(())
    }

    /// As `expect`, but roles may hold on tables what an earlier version gave them: an update takes nothing away from
    /// anybody, since what was given may have been given by hand.
    pub fn expect_with_earlier_privileges(&self, fresh: &Inventory, roles: &[&str]) -> Result<()> {
        let held_on_column = |(object, property): &Key| {
            object.starts_with("relation ")
                && property.contains(" on column ")
                && roles.iter().any(|role| property.contains(&format!(" of {role} ")))
        };
        let differences = self.differences(fresh, |key| !held_on_column(key));
        ensure!(differences.is_empty(), "{} differences:\n\n{}", differences.len(), differences.join("\n"));
        Ok(())
    }

    fn differences(&self, fresh: &Inventory, may_not_be_more: impl Fn(&Key) -> bool) -> Vec<String> {
        let keys: BTreeSet<&Key> = self.0.keys().chain(fresh.0.keys()).collect();
        keys.into_iter()
            .filter(|key| fresh.0.contains_key(*key) || may_not_be_more(key))
            .filter_map(|key| difference(key, self.0.get(key), fresh.0.get(key)))
            .collect()
    }
}

/// What is different in one property, as lines.
fn difference(key: &Key, updated: Option<&Part>, fresh: Option<&Part>) -> Option<String> {
    let how = match (updated, fresh) {
        (Some(updated), Some(fresh)) if updated.is == fresh.is => return None,
        (Some(updated), Some(fresh)) => changes(&updated.is, &fresh.is),
        (None, Some(fresh)) => format!("  lacking after the update: {}\n", fresh.is),
        (Some(updated), None) => format!("  only after an update: {}\n", updated.is),
        (None, None) => return None,
    };
    let statement = fresh.and_then(|part| part.statement.as_ref()).map_or(String::new(), |statement| {
        format!(
            "for the script:\n{}\n",
            statement
                .replace("fleet.", "@extschema@.")
                .replace("'fleet'", "@extschema@")
                .replace("$libdir/multica", "MODULE_PATHNAME")
        )
    });
    let (object, property) = key;
    Some(format!("== {object}: {property}\n{how}{statement}"))
}

/// The lines that only one of them has.
fn changes(updated: &str, fresh: &str) -> String {
    let only = |of: &str, other: &str, sign: &str| -> String {
        let others: BTreeSet<&str> = other.lines().collect();
        of.lines().filter(|line| !others.contains(line)).map(|line| format!("  {sign} {line}\n")).collect()
    };
    only(updated, fresh, "updated:") + &only(fresh, updated, "fresh:  ")
}

/// The number of routines of the extension that everybody may call.
pub fn open_to_everybody(client: &mut Client) -> Result<i64> {
    let row = client.query_one(
        "SELECT count(*) FROM pg_depend AS d
         JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'multica'
         JOIN pg_proc AS p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass,
             aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
         WHERE a.grantee = 0",
        &[],
    );
    Ok(row.context("no count")?.get(0))
}
