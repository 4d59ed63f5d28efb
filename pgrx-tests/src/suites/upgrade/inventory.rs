//! The objects of two catalogues with their properties, and the differences between them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use postgres::Client;

use crate::context::Context;

/// A property of an object.
type Key = (String, String);

/// All objects that the extension and its install made in a database.
pub struct Inventory(BTreeMap<Key, Property>);

struct Property {
    /// The value of the property.
    is: String,
    /// The statement that sets it, if a script can.
    statement: Option<String>,
}

impl Inventory {
    /// Reads the objects of a database with the extension, and its tables in the same schema.
    pub fn read(context: &Context, client: &mut Client) -> Result<Inventory> {
        let file = context.fixtures().join("releases/installed.sql");
        let query = std::fs::read_to_string(file)?;
        let mut properties = BTreeMap::new();
        for row in client.query(query.trim_end(), &[])? {
            let (key, property) = ((row.get(0), row.get(1)), Property { is: row.get(2), statement: row.get(3) });
            ensure!(properties.insert(key, property).is_none(), "a property was read twice");
        }
        ensure!(properties.len() > 500, "only {} properties were read", properties.len());
        Ok(Inventory(properties))
    }

    /// Fails with each object that differs after an update, how it differs, and the statement that the update script
    /// lacks.
    pub fn expect(&self, fresh: &Inventory) -> Result<()> {
        let differences = self.differences(fresh, |_| true);
        ensure!(
            differences.is_empty(),
            "{} differences between an updated database and a fresh one. Each difference must be in the script in \
             sql/ that leads to the version in the making (docs/developing.md).\n\n{}",
            differences.len(),
            differences.join("\n")
        );
        Ok(())
    }

    /// Compares like `expect`, but roles may have privileges on tables that an earlier version granted. An update does
    /// not revoke them, because a user may have granted them.
    pub fn expect_with_earlier_privileges(&self, fresh: &Inventory, roles: &[&str]) -> Result<()> {
        let is_held = |(object, property): &Key| {
            let mut words = property.split(' ');
            object.starts_with("relation ")
                && words.nth(1) == Some("of")
                && words.next().is_some_and(|it| roles.contains(&it))
        };
        let differences = self.differences(fresh, |key| !is_held(key));
        ensure!(differences.is_empty(), "{} differences:\n\n{}", differences.len(), differences.join("\n"));
        Ok(())
    }

    fn differences(&self, fresh: &Inventory, must_not_be_added: impl Fn(&Key) -> bool) -> Vec<String> {
        let keys: BTreeSet<&Key> = self.0.keys().chain(fresh.0.keys()).collect();
        keys.into_iter()
            .filter(|key| fresh.0.contains_key(*key) || must_not_be_added(key))
            .filter_map(|key| difference(key, self.0.get(key), fresh.0.get(key)))
            .collect()
    }
}

/// Returns the difference in one property, as lines.
fn difference(key: &Key, updated: Option<&Property>, fresh: Option<&Property>) -> Option<String> {
    let how = match (updated, fresh) {
        (Some(updated), Some(fresh)) if updated.is == fresh.is => return None,
        (Some(updated), Some(fresh)) => changes(&updated.is, &fresh.is),
        (None, Some(fresh)) => format!("  missing after the update: {}\n", fresh.is),
        (Some(updated), None) => format!("  only after an update: {}\n", updated.is),
        (None, None) => return None,
    };
    let statement = fresh.and_then(|it| it.statement.as_ref()).map_or(String::new(), |statement| {
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

/// Returns the lines that only one of the two has.
fn changes(updated: &str, fresh: &str) -> String {
    let only = |of: &str, other: &str, sign: &str| -> String {
        let others: BTreeSet<&str> = other.lines().collect();
        of.lines().filter(|line| !others.contains(line)).map(|line| format!("  {sign} {line}\n")).collect()
    };
    only(updated, fresh, "updated:") + &only(fresh, updated, "fresh:  ")
}

/// Returns the number of routines of the extension that PUBLIC may call.
pub fn callable_by_public(client: &mut Client) -> Result<i64> {
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
