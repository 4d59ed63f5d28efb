//! `cargo package-deb`: the extension for one major version of Postgres as a Debian package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::cluster::output;
use crate::extension::{self, Variant};
use crate::postgres_copy::PostgresCopy;
use crate::project::{MAJOR, Project};
use crate::tools;
use crate::tools::{Tools, below, extras};

/// The default maintainer; DEBFULLNAME and DEBEMAIL override it, as in Debian's own tools.
const NOBODY: (&str, &str) = ("the multica engineers", "multica@localhost");

/// The arguments of the command line.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Major version of Postgres
    #[arg(long, default_value_t = MAJOR)]
    pg: u32,
    /// Folder to write the package to
    #[arg(long, default_value = "target/debian")]
    out: PathBuf,
}

/// Builds the optimized library and its package.
pub fn run(project: &Project, arguments: &Arguments) -> Result<ExitCode> {
    let _lock = project.lock()?;
    let tools = tools::ensure(project, arguments.pg)?;
    let out = project.root.join(&arguments.out);
    let file = build(project, &tools, Variant::Release, &out)?;
    println!("{}", file.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes the package of a variant in the folder `out` and returns its file.
pub fn build(project: &Project, tools: &Tools, variant: Variant, out: &Path) -> Result<PathBuf> {
    let why = "it names the libraries that the package depends on";
    extras::program(project, "dpkg-shlibdeps", "dpkg-dev", why)?;
    let copy = PostgresCopy::prepare(project, &tools.server, variant.name())?;
    let work = project.work.join(format!("package-{}", copy.major));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let (tree, root) = (work.join("tree"), work.join("root"));
    extension::package(project, tools, variant, &copy, &tree)?;
    let package = Package {
        name: format!("postgresql-{}-multica", copy.major),
        templates: project.root.join("packaging/debian"),
        copy,
        root,
    };
    package.place_files(&tree)?;
    package.document(project)?;
    let file = out.join(package.describe(&work)?);
    fs::create_dir_all(out)?;
    let mut command = Command::new("dpkg-deb");
    if !matches!(variant, Variant::Release) {
        // This package is used once by a test, so fast compression is better than a small file.
        command.args(["-Zgzip", "-z1"]);
    }
    command.args(["--root-owner-group", "--build"]);
    output(command.arg(&package.root).arg(&file))?;
    Ok(file)
}

struct Package {
    name: String,
    templates: PathBuf,
    copy: PostgresCopy,
    /// The folder whose contents the package installs below /.
    root: PathBuf,
}

impl Package {
    fn libraries(&self) -> PathBuf {
        self.root.join(format!("usr/lib/postgresql/{}/lib", self.copy.major))
    }

    fn extensions(&self) -> PathBuf {
        self.root.join(format!("usr/share/postgresql/{}/extension", self.copy.major))
    }

    /// Copies the files to Debian's folders. cargo pgrx has put them at the paths of the private copy that it built
    /// for.
    fn place_files(&self, tree: &Path) -> Result<()> {
        for (from, to) in [(self.copy.libraries(), self.libraries()), (self.copy.extensions(), self.extensions())] {
            let from = below(tree, &from);
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from).with_context(|| format!("no folder {}", from.display()))? {
                let entry = entry?;
                let target = to.join(entry.file_name());
                fs::copy(entry.path(), &target)?;
                fs::set_permissions(&target, fs::Permissions::from_mode(0o644))?;
            }
        }
        let mut strip = Command::new("strip");
        output(strip.arg("--strip-unneeded").arg(self.library()))?;
        Ok(())
    }

    fn library(&self) -> PathBuf {
        self.libraries().join("multica.so")
    }

    fn document(&self, project: &Project) -> Result<()> {
        let folder = self.root.join("usr/share/doc").join(&self.name);
        fs::create_dir_all(folder.join("docs"))?;
        let licence = fs::read_to_string(project.root.join("LICENSE-MIT"))?;
        let copyright = licence
            .lines()
            .find_map(|line| line.strip_prefix("Copyright (c) "))
            .context("LICENSE-MIT names no owner")?;
        let indented: Vec<String> = licence.lines().map(indented).collect();
        let text = self.template("copyright")?.replace("@COPYRIGHT@", copyright).replace("@MIT@", &indented.join("\n"));
        fs::write(folder.join("copyright"), text)?;
        fs::copy(project.root.join("README.md"), folder.join("README.md"))?;
        for page in fs::read_dir(project.root.join("docs"))? {
            let page = page?;
            if page.path().extension().is_some_and(|kind| kind == "md") {
                fs::copy(page.path(), folder.join("docs").join(page.file_name()))?;
            }
        }
        Ok(())
    }

    /// Writes the control file, and returns the name of the package file.
    fn describe(&self, work: &Path) -> Result<String> {
        let name = std::env::var("DEBFULLNAME").unwrap_or_else(|_| NOBODY.0.into());
        let address = std::env::var("DEBEMAIL").unwrap_or_else(|_| NOBODY.1.into());
        let version = self.version()?;
        let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
        let architecture = architecture.trim();
        let size = output(Command::new("du").args(["-ks", "--apparent-size"]).arg(&self.root))?;
        let text = self
            .template("control")?
            .replace("@PACKAGE@", &self.name)
            .replace("@MAJOR@", &self.copy.major.to_string())
            .replace("@VERSION@", &version)
            .replace("@ARCHITECTURE@", architecture)
            .replace("@MAINTAINER@", &format!("{name} <{address}>"))
            .replace("@SIZE@", size.split_whitespace().next().unwrap_or("0"))
            .replace("@LIBRARIES@", &self.needed_libraries(work)?);
        let folder = self.root.join("DEBIAN");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("control"), text)?;
        Ok(format!("{}_{version}_{architecture}.deb", self.name))
    }

    /// Returns the version that CREATE EXTENSION creates, followed by the revision of the package.
    fn version(&self) -> Result<String> {
        let control = fs::read_to_string(self.extensions().join("multica.control"))?;
        let version = control
            .lines()
            .find_map(|line| line.strip_prefix("default_version = '"))
            .and_then(|rest| rest.split('\'').next())
            .context("multica.control has no default_version")?;
        Ok(format!("{version}-1"))
    }

    /// Returns the packages that contain the libraries which ours is linked with, and their versions. dpkg-shlibdeps
    /// requires the description of a source package in its folder.
    fn needed_libraries(&self, work: &Path) -> Result<String> {
        fs::create_dir_all(work.join("debian"))?;
        fs::write(
            work.join("debian/control"),
            format!("Source: multica\n\nPackage: {}\nArchitecture: any\n", self.name),
        )?;
        let mut command = Command::new("dpkg-shlibdeps");
        command.current_dir(work).arg("-O").arg(format!("-e{}", self.library().display()));
        let said = output(&mut command)?;
        let libraries = said.trim().strip_prefix("shlibs:Depends=").context("dpkg-shlibdeps names no library")?;
        Ok(libraries.to_string())
    }

    fn template(&self, name: &str) -> Result<String> {
        let file = self.templates.join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    }
}

/// Returns a line in the form that multi-line fields of a Debian file require.
fn indented(line: &str) -> String {
    if line.is_empty() { " .".into() } else { format!(" {line}") }
}
