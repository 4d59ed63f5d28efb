//! Postgres of a major version that this release of Debian lacks, from the source package of a newer release. It is
//! built once per checkout and kept below `target/`. The configuration and the lists of apt are not changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::missing::{Missing, announce};
use super::{apt, build, entries};
use crate::console::run_step;
use crate::project::Project;

/// The release that contains each major version.
const RELEASES: &[(u32, &str)] = &[(17, "trixie"), (18, "forky")];

/// The keys of Debian's archive, which include those of future releases.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The keys of Debian's maintainers.
const MAINTAINERS: &str = "/usr/share/keyrings/debian-keyring.gpg";

/// How many earlier minor releases are tried.
const STEPS_BACK: u32 = 3;

/// Returns what will be built, for the announcement.
pub fn missing(major: u32) -> Missing {
    Missing::by_hand(
        format!("Postgres {major} with its headers and test programs"),
        "tests run on it; Debian's source is compiled below target/, once",
        format!(
            "Debian and Ubuntu: packages postgresql-{major} and postgresql-server-dev-{major}; or set MULTICA_PG_CONFIG"
        ),
    )
}

/// Downloads and builds this major version.
pub fn provide(project: &Project, major: u32) -> Result<()> {
    let Some((_, release)) = RELEASES.iter().find(|(known, _)| *known == major) else {
        bail!("Postgres {major} is not on this machine, and no release of Debian to take it from is known");
    };
    let folder = project.work.join(format!("source-{major}"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let archive = Archive::describe(&folder, release)?;
    let source = archive.source(project, &format!("postgresql-{major}"))?;
    build::build(project, major, &source)?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The sources of another release, on the mirror that this machine uses.
struct Archive<'a> {
    folder: &'a Path,
    list: PathBuf,
}

impl Archive<'_> {
    fn describe<'a>(folder: &'a Path, release: &str) -> Result<Archive<'a>> {
        let list = folder.join("debian.sources");
        let text =
            format!("Types: deb-src\nURIs: {}\nSuites: {release}\nComponents: main\nSigned-By: {KEYRING}\n", mirror()?);
        fs::write(&list, text)?;
        for name in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let archive = Archive { folder, list };
        run_step(&format!("looking what {release} has"), archive.apt().arg("update"))?;
        Ok(archive)
    }

    /// Returns an apt-get command that uses only this archive.
    fn apt(&self) -> Command {
        let mut command = Command::new("apt-get");
        for (option, path) in [
            ("Dir::State::lists", self.folder.join("lists")),
            ("Dir::Cache", self.folder.join("cache")),
            ("Dir::Etc::sourcelist", self.list.clone()),
            ("Dir::Etc::sourceparts", PathBuf::from("/dev/null")),
        ] {
            command.arg("-o").arg(format!("{option}={}", path.display()));
        }
        command.arg("-q").current_dir(self.folder);
        command
    }

    /// Downloads and unpacks the source of a package. A mirror may list a minor release before it has the files. Then
    /// an earlier minor release is used. No list of apt contains its checksums any more, so its maintainer's signature
    /// is verified.
    fn source(&self, project: &Project, package: &str) -> Result<PathBuf> {
        let listed = self.apt().args(["--print-uris", "source", package]).output()?;
        let files = Files::parse(&String::from_utf8_lossy(&listed.stdout))
            .with_context(|| format!("no source of {package} is listed"))?;
        let whole = run_step(
            &format!("downloading {package} {}", files.version()),
            self.apt().args(["source", "--download-only", package]),
        );
        let Err(error) = whole else {
            return self.unpack(&[]);
        };
        if !Path::new(MAINTAINERS).exists() {
            let why = "an older source is verified with the keys of Debian's maintainers";
            let keyring = "debian-keyring";
            announce(project, &[Missing::of_package("their keys", why, keyring)])?;
            apt::install(project, 0, &[keyring.into()])?;
        }
        for older in (1..=STEPS_BACK).filter_map(|back| files.earlier(back)) {
            let name = format!("downloading {package} {} instead", older.version());
            if older.uris.iter().all(|uri| self.download(&name, uri).is_ok()) {
                return self.unpack(&["--require-valid-signature"]);
            }
        }
        Err(error)
    }

    fn download(&self, name: &str, uri: &str) -> Result<()> {
        let file = uri.rsplit('/').next().unwrap_or(uri).replace("%2b", "+");
        let mut command = Command::new("/usr/lib/apt/apt-helper");
        command.args(["download-file", uri, &file]).current_dir(self.folder);
        run_step(&format!("{name}: {file}"), &mut command)?;
        Ok(())
    }

    fn unpack(&self, options: &[&str]) -> Result<PathBuf> {
        let description = entries(self.folder)
            .into_iter()
            .find(|file| file.extension().is_some_and(|kind| kind == "dsc"))
            .context("the source package has no description")?;
        let target = self.folder.join("unpacked");
        run_step(
            "unpacking the source",
            Command::new("dpkg-source")
                .args(options)
                .args(["--no-copy", "--skip-patches", "-x"])
                .arg(&description)
                .arg(&target)
                .current_dir(self.folder),
        )?;
        Ok(target)
    }
}

/// The addresses of the files of a source package.
struct Files {
    uris: Vec<String>,
    major: u32,
    minor: u32,
}

impl Files {
    /// Parses the output of `apt-get --print-uris`: per line the address in quotes, then name, size and checksum.
    fn parse(printed: &str) -> Option<Files> {
        let uris: Vec<String> =
            printed.lines().filter_map(|line| Some(line.strip_prefix('\'')?.split_once('\'')?.0.to_string())).collect();
        let original = uris.iter().find(|uri| uri.contains(".orig.tar"))?;
        let (_, version) = original.rsplit_once('_')?;
        let (major, rest) = version.split_once('.')?;
        let (minor, _) = rest.split_once('.')?;
        Some(Files { major: major.parse().ok()?, minor: minor.parse().ok()?, uris })
    }

    fn version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    fn earlier(&self, back: u32) -> Option<Files> {
        let minor = self.minor.checked_sub(back)?;
        let (ours, theirs) = (format!("_{}", self.version()), format!("_{}.{minor}", self.major));
        Some(Files {
            uris: self.uris.iter().map(|uri| uri.replace(&ours, &theirs)).collect(),
            major: self.major,
            minor,
        })
    }
}

/// Returns the mirror from which this machine gets Debian's packages.
fn mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian"])
        .output()
        .context("apt-get is not there")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .map(str::to_string)
        .context("this machine takes its packages from no mirror of Debian, or has not run apt-get update")
}
