//! The layers of the library: no import points to a higher one, and what can be called from SQL is in the highest.

use std::path::Path;

use anyhow::{Result, ensure};

use super::Suite;
use crate::context::Context;

/// The tests of this topic.
pub const ALL: &[(&str, Suite)] = suite![no_import_points_to_a_higher_layer, sql_functions_are_on_top];

/// Modules of the lowest layer; whatever is not named here or below is in the highest.
const LOWEST: [&str; 4] = ["argument", "capability", "error", "settings"];

fn layer(module: &str) -> usize {
    match module {
        "postgres" => 1,
        "lifecycle" => 2,
        other if LOWEST.contains(&other) => 0,
        _ => 3,
    }
}

/// Every file of `src/` with the module that it belongs to.
fn sources(context: &Context) -> Result<Vec<(String, String)>> {
    let root = context.project.root.join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found)?;
    ensure!(found.len() > 50, "the sources are found");
    Ok(found)
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, found)?;
        } else {
            let name = path.strip_prefix(root)?.with_extension("");
            found.push((name.display().to_string(), std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

fn top_module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file)
}

fn no_import_points_to_a_higher_layer(context: &Context) -> Result<()> {
    for (file, text) in sources(context)? {
        let own = top_module(&file);
        if own == "lib" {
            continue;
        }
        let paths = text.split("crate::").skip(1);
        for path in paths {
            let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            let module = &path[..end.unwrap_or(path.len())];
            ensure!(layer(module) <= layer(own), "{file} uses {module}, which is in a higher layer");
        }
    }
    Ok(())
}

fn sql_functions_are_on_top(context: &Context) -> Result<()> {
    for (file, text) in sources(context)? {
        ensure!(
            layer(top_module(&file)) == 3 || !text.contains("#[pg_extern"),
            "{file} has a function that SQL can call"
        );
    }
    Ok(())
}
