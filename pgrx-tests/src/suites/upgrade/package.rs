//! The files of the package, and a server without this checkout that runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::cluster::{Cluster, Options, output};
use crate::context::Context;
use crate::extension::Variant;
use crate::postgres_copy::PostgresCopy;
use crate::suites::support::values;
use crate::{package, release, tools};

/// Made from the build that all tests use; the released package differs only in its optimization.
pub fn package_can_be_installed(context: &Context) -> Result<()> {
    let project = &context.project;
    let major = context.copy.major;
    let (file, copy) = {
        let _lock = project.lock()?;
        let tools = tools::ensure(project, major)?;
        let out = project.work.join("output/package");
        let file = package::build(project, &tools, Variant::Dev, &out)?;
        let copy = PostgresCopy::prepare(project, &tools.server, "package")?;
        (file, copy)
    };
    check_fields(&file, major)?;
    check_files(context, &file, major)?;
    install(&file, &copy)?;
    let cluster = Cluster::create(project, &copy, &Options::new("package"))?;
    let mut client = cluster.connect("postgres")?;
    client.batch_execute("CREATE EXTENSION multica; SELECT FROM multica_install(); SELECT FROM multica_sweep()")?;
    let works = "SELECT preloaded AND multica_version() = extversion FROM multica_status(), pg_extension
                 WHERE extname = 'multica'";
    ensure!(values(&mut client, works)? == ["t"], "the packaged library is not preloaded, or has another version");
    Ok(())
}

fn check_fields(file: &Path, major: u32) -> Result<()> {
    let field = |name: &str| -> Result<String> {
        let mut command = Command::new("dpkg-deb");
        let text = output(command.arg("--field").arg(file).arg(name))?;
        Ok(text.trim().to_string())
    };
    let name = format!("postgresql-{major}-multica");
    ensure!(field("Package")? == name, "the package has another name");
    let needs = field("Depends")?;
    ensure!(
        needs.starts_with(&format!("postgresql-{major}, ")) && needs.contains("libc"),
        "the package depends on {needs}"
    );
    for (name, wanted) in [("Section", "database"), ("Priority", "optional")] {
        ensure!(field(name)? == wanted, "{name} is {}", field(name)?);
    }
    for name in ["Version", "Architecture", "Maintainer", "Installed-Size", "Description"] {
        let value = field(name)?;
        ensure!(
            !value.is_empty() && !value.contains('@') || name == "Maintainer" && value.contains('<'),
            "{name} is {value}"
        );
    }
    Ok(())
}

/// It contains the library, its control file, the install script and every update script, licences and pages, all owned
/// by root.
fn check_files(context: &Context, file: &Path, major: u32) -> Result<()> {
    let listing = output(Command::new("dpkg-deb").arg("--contents").arg(file))?;
    let mut held = Vec::new();
    for line in listing.lines() {
        ensure!(line.contains(" root/root "), "not owned by root: {line}");
        held.extend(line.split(" ./").nth(1).filter(|path| !path.is_empty() && !path.ends_with('/')));
    }
    let documents = format!("usr/share/doc/postgresql-{major}-multica");
    let extension = format!("usr/share/postgresql/{major}/extension");
    let mut wanted = vec![
        format!("usr/lib/postgresql/{major}/lib/multica.so"),
        format!("{extension}/multica.control"),
        format!("{documents}/copyright"),
        format!("{documents}/docs/installing.md"),
    ];
    for (from, to, _) in release::updates(&context.project)? {
        wanted.push(format!("{extension}/multica--{from}--{to}.sql"));
    }
    for path in &wanted {
        ensure!(held.contains(&path.as_str()), "{path} is missing");
    }
    let scripts = held.iter().filter(|path| path.starts_with(&extension) && path.ends_with(".sql"));
    ensure!(
        scripts.count() == release::updates(&context.project)?.len() + 1,
        "not one install script and the update scripts: {held:?}"
    );
    let unexpected = held.iter().find(|path| {
        !wanted.iter().any(|known| known == *path)
            && !path.starts_with(&documents)
            && !path.starts_with(&format!("{extension}/multica--"))
    });
    ensure!(unexpected.is_none(), "unexpected file {unexpected:?}");
    Ok(())
}

/// Installs the files as dpkg would, but into a private copy of Postgres, and without files of an earlier package.
fn install(file: &Path, copy: &PostgresCopy) -> Result<()> {
    let target = copy.prefix.join("package");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    output(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&target))?;
    for (from, to) in [
        (format!("usr/lib/postgresql/{}/lib", copy.major), copy.libraries()),
        (format!("usr/share/postgresql/{}/extension", copy.major), copy.extensions()),
    ] {
        for old in files(&to)? {
            if name(&old).starts_with("multica") {
                fs::remove_file(old)?;
            }
        }
        for new in files(&target.join(from))? {
            fs::copy(&new, to.join(name(&new)))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)
        .with_context(|| format!("no folder {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
