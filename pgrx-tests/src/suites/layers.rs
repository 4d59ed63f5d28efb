//! The layers of the library and of the harness. No module imports a higher layer, and functions that can be called
//! from SQL are in the highest layer of the library.

use anyhow::{Context as _, Result, ensure};

use super::Suite;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![
    no_import_points_to_a_higher_layer,
    no_harness_import_points_to_a_higher_layer,
    sql_functions_are_in_highest_layer,
];

/// Modules of the lowest layer. Modules that are named neither here nor in `layer` are in the highest layer.
const LOWEST: [&str; 4] = ["argument", "capability", "error", "settings"];

/// Modules of the harness, the lowest first. Each imports only modules before it, so there is no cycle.
const HARNESS: [&str; 26] = [
    "project",
    "console",
    "user",
    "query",
    "speed",
    "tools",
    "postgres_copy",
    "cluster",
    "database",
    "generations",
    "context",
    "extension",
    "pooler",
    "redis",
    "regress",
    "pg_tests",
    "mutation_patch",
    "storm",
    "chaos",
    "demo",
    "package",
    "release",
    "suites",
    "bare",
    "verify",
    "mutations",
];

fn layer(module: &str) -> usize {
    match module {
        "postgres" => 1,
        "lifecycle" => 2,
        other if LOWEST.contains(&other) => 0,
        _ => 3,
    }
}

/// Returns every file of a folder of sources with the module that it belongs to.
fn sources(context: &Context, folder: &str) -> Result<Vec<(String, String)>> {
    let found = context.project.sources(folder)?;
    ensure!(found.len() > 50, "the sources are found");
    Ok(found.into_iter().map(|(file, text)| (file.trim_end_matches(".rs").to_string(), text)).collect())
}

fn top_module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

/// The modules that a file names from the root of its crate, alone or in a group.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let paths = text.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(group) => group.split('}').next().unwrap_or(group).split(',').map(str::trim_start).collect(),
        None => vec![rest],
    });
    let names = paths.map(|path| path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or(path));
    names.filter(|name| !name.is_empty())
}

fn no_import_points_to_a_higher_layer(context: &Context) -> Result<()> {
    for (file, text) in sources(context, "src")? {
        let own = top_module(&file);
        if own == "lib" {
            continue;
        }
        for module in used(&text) {
            ensure!(layer(module) <= layer(own), "{file} uses {module}, which is in a higher layer");
        }
    }
    Ok(())
}

/// A cycle makes every module in it depend on all others, so no module could become a separate package.
fn no_harness_import_points_to_a_higher_layer(context: &Context) -> Result<()> {
    let place = |module: &str| HARNESS.iter().position(|name| *name == module);
    for (file, text) in sources(context, "pgrx-tests/src")? {
        let own = top_module(&file);
        if own == "lib" || own == "main" {
            continue;
        }
        let own = place(own).with_context(|| format!("{own} has no place in the order of layers"))?;
        for module in used(&text) {
            ensure!(place(module).is_some_and(|place| place <= own), "{file} uses {module}, which is not below it");
        }
    }
    Ok(())
}

fn sql_functions_are_in_highest_layer(context: &Context) -> Result<()> {
    for (file, text) in sources(context, "src")? {
        ensure!(
            layer(top_module(&file)) == 3 || !text.contains("#[pg_extern"),
            "{file} has a function that SQL can call"
        );
    }
    Ok(())
}
