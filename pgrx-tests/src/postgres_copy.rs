//! Private copies of the installed Postgres. Extensions are installed into them and servers run from them, so the
//! user's own installation is never changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::console::Step;
use crate::project::Project;
use crate::tools::{ServerFiles, below, extras};

/// One private copy.
#[derive(Debug, Clone)]
pub struct PostgresCopy {
    /// Major version.
    pub major: u32,
    /// The folder of the copy. Below it every file has the path of the original.
    pub prefix: PathBuf,
    files: ServerFiles,
}

impl PostgresCopy {
    /// Returns the copy for one variant of the extension. It is copied again if the installed Postgres has changed.
    pub fn prepare(project: &Project, files: &ServerFiles, variant: &str) -> Result<PostgresCopy> {
        let prefix = project.work.join(format!("pg{}-{variant}", files.major));
        let copy = PostgresCopy { major: files.major, prefix, files: files.clone() };
        let stamp = copy.prefix.join("copied-from");
        // A server that was compiled again may have other modules at the same version, so its time is compared too.
        let made = fs::metadata(files.bindir.join("postgres"))?.modified()?;
        let source = format!("{}\n{}\n{made:?}\n", files.version, files.bindir.display());
        if fs::read_to_string(&stamp).is_ok_and(|found| found == source) {
            return Ok(copy);
        }
        let step = Step::start(&format!("copying {} for {variant}", files.version));
        if copy.prefix.exists() {
            fs::remove_dir_all(&copy.prefix)?;
        }
        for folder in [&files.bindir, &files.pkglibdir, &files.sharedir, &files.includedir] {
            for root in [Path::new("/"), &files.unpacked] {
                let from = below(root, folder);
                if from.exists() {
                    copy_tree(&from, &below(&copy.prefix, folder))?;
                }
            }
        }
        fs::write(stamp, source)?;
        step.done();
        Ok(copy)
    }

    /// Returns a further copy, with what is installed in this one.
    pub fn duplicate(&self, number: usize) -> Result<PostgresCopy> {
        let prefix = PathBuf::from(format!("{}-{number}", self.prefix.display()));
        if prefix.exists() {
            fs::remove_dir_all(&prefix)?;
        }
        copy_tree(&self.prefix, &prefix)?;
        Ok(PostgresCopy { prefix, ..self.clone() })
    }

    /// The path of a program of the copy, for example `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        below(&self.prefix, &self.files.bindir).join(name)
    }

    /// The copy's pg_config, which reports the copy's folders.
    pub fn pg_config(&self) -> PathBuf {
        self.program("pg_config")
    }

    /// The folder of loadable libraries.
    pub fn libraries(&self) -> PathBuf {
        below(&self.prefix, &self.files.pkglibdir)
    }

    /// The folder of control files and extension scripts.
    pub fn extensions(&self) -> PathBuf {
        below(&self.prefix, &self.files.sharedir).join("extension")
    }

    /// Adds pg_cron to the copy, if it is missing: it may have been installed after the copy was made.
    pub fn add_pg_cron(&self, project: &Project) -> Result<()> {
        if self.extensions().join("pg_cron.control").exists() {
            return Ok(());
        }
        let (libraries, scripts) = extras::pg_cron(project, &self.files)?;
        for (from, to) in [(libraries, self.libraries()), (scripts, self.extensions())] {
            for entry in fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))? {
                let (file, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
                if file.is_file() && name.to_string_lossy().starts_with("pg_cron") {
                    fs::copy(&file, to.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
                }
            }
        }
        Ok(())
    }

    /// The path of a test program for extensions; `path` is relative to `src/test`.
    pub fn test_program(&self, path: &str) -> PathBuf {
        below(&self.prefix, &self.files.pgxs()).join("src/test").join(path)
    }

    /// Returns a command for a program of the copy with a clean environment. The caller's PG* variables would make it
    /// connect to another server, and RUST_BACKTRACE would add a trace to every error.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C.UTF-8");
        command.current_dir(&self.prefix);
        command
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            // The folder is the largest of the copy, and only the just-in-time compiler reads it, for inlining.
            if entry.file_name() != "bitcode" {
                copy_tree(&entry.path(), &target)?;
            }
        } else if kind.is_symlink() {
            if !target.is_symlink() {
                symlink(fs::read_link(entry.path())?, &target)?;
            }
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
