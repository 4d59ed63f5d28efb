//! `cargo verify --bare`: runs the README's two commands in a tree that contains only a minimal Debian, a C compiler,
//! git and the Rust toolchain. If a test needs anything else and does not install it, the test fails here before it
//! fails for a new user.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::geteuid;

use crate::cluster::output;
use crate::console::run_step;
use crate::project::Project;
use crate::tools::extras;

/// The release of Debian that has the home version of Postgres.
const RELEASE: &str = "bookworm";
/// The packages that the README requires besides the toolchain, and those that a clone over HTTPS needs.
const PACKAGES: &str = "gcc,libc6-dev,git,ca-certificates";
/// The paths of the toolchain and of the clone inside the tree.
const RUST: &str = "opt/rust";
const CLONE: &str = "root/multica";
/// Files with the settings by which this machine reaches package registries; those that exist are copied.
const SETTINGS: [&str; 4] =
    ["etc/resolv.conf", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt", "root/.cargo/config.toml"];
/// Environment variables whose name contains one of these are passed on: proxies and certificates.
const PASSED_ON: [&str; 4] = ["_proxy", "_PROXY", "SSL_CERT_", "PIP_"];

/// Makes the tree, and runs both commands in it. `arguments` are those of `cargo verify`.
pub fn run(project: &Project, arguments: &[String]) -> Result<ExitCode> {
    ensure!(geteuid().is_root(), "--bare makes a Debian tree and enters it, which only root may do");
    let tree = Tree::make(project)?;
    let mut results = Vec::new();
    let verify = [&["verify".to_string()], arguments].concat();
    for arguments in [vec!["demo".to_string()], verify] {
        let name = format!("cargo {}", arguments.join(" "));
        println!("\n{name}, in the bare tree");
        let (passed, last) = tree.cargo(&arguments)?;
        results.push((passed, name, last));
    }
    println!();
    for (passed, name, last) in &results {
        let verdict = if *passed { "ok  " } else { "FAIL" };
        println!("{verdict}  {name}: {last}");
    }
    if results.iter().all(|(passed, ..)| *passed) {
        fs::remove_dir_all(&tree.root)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("The tree is kept: {}", tree.root.display());
    Ok(ExitCode::FAILURE)
}

/// The tree. It contains mounts only in the mount namespace of a running command, so it can be deleted at any time.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn make(project: &Project) -> Result<Tree> {
        let _lock = project.lock()?;
        let debootstrap = extras::program(project, "debootstrap", "debootstrap", "it makes the bare Debian tree")?;
        let root = project.work.join("bare");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        let mut command = Command::new(debootstrap);
        command.arg("--variant=minbase").arg(format!("--include={PACKAGES}")).arg(RELEASE).arg(&root);
        run_step("making a bare Debian tree", &mut command)?;
        for file in SETTINGS {
            let from = Path::new("/").join(file);
            if from.exists() {
                let to = root.join(file);
                fs::create_dir_all(to.parent().unwrap_or(&root))?;
                fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
            }
        }
        let tree = Tree { root };
        tree.add_toolchain()?;
        tree.add_clone(project)?;
        Ok(tree)
    }

    /// Copies the toolchain. It is not mounted, because a deletion of the tree would then delete the toolchain of this
    /// machine.
    fn add_toolchain(&self) -> Result<()> {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let target = self.root.join(RUST);
        fs::create_dir_all(&target)?;
        let mut copy = Command::new("cp");
        copy.arg("-a");
        for folder in ["bin", "lib", "libexec"] {
            let from = Path::new(sysroot.trim()).join(folder);
            if from.exists() {
                copy.arg(from);
            }
        }
        run_step("copying the Rust toolchain", copy.arg(&target))?;
        Ok(())
    }

    /// Clones the committed files, because other people get only those.
    fn add_clone(&self, project: &Project) -> Result<()> {
        let mut status = Command::new("git");
        status.args(["status", "--porcelain"]).current_dir(&project.root);
        if !output(&mut status)?.trim().is_empty() {
            println!("Changes that are not committed are not in the tree.");
        }
        let mut clone = Command::new("git");
        clone.args(["clone", "--quiet", "--no-hardlinks"]);
        output(clone.arg(&project.root).arg(self.root.join(CLONE)))?;
        Ok(())
    }

    /// Runs cargo in the clone, in its own namespaces, so that its processes and mounts end with the command. Returns
    /// whether the command succeeded, and the last line that it printed.
    fn cargo(&self, arguments: &[String]) -> Result<(bool, String)> {
        let script = "mount -t proc proc \"$1/proc\" && mount -t tmpfs tmpfs \"$1/dev/shm\" && \
                      tree=$1 clone=$2 && shift 2 && \
                      exec chroot \"$tree\" sh -c 'cd \"$0\" && exec cargo \"$@\"' \"$clone\" \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        command
            .args(["--", "sh", "-c", script, "sh"])
            .arg(&self.root)
            .arg(Path::new("/").join(CLONE))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .env_clear()
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8")
            .env("PATH", format!("/{RUST}/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        for (name, value) in std::env::vars() {
            if PASSED_ON.iter().any(|part| name.contains(part)) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().context("cannot run unshare")?;
        let Some(printed) = child.stdout.take() else {
            bail!("unshare prints nothing");
        };
        let mut last = String::new();
        for line in BufReader::new(printed).lines() {
            let line = line?;
            println!("{line}");
            if !line.trim().is_empty() {
                last = line;
            }
        }
        Ok((child.wait()?.success(), last))
    }
}
