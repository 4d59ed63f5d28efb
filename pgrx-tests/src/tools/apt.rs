//! Installs packages with apt, without a restart of a Postgres that is already installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use super::answers;
use crate::console::run_step;
use crate::project::Project;

/// The server package reads this file when it is configured. Without the file it would create a cluster and start it.
const DROP_IN: &str = "/etc/postgresql-common/createcluster.d/zz-multica-harness.conf";

/// Installs `packages`, without letting the server package create a cluster.
pub fn install(project: &Project, major: u32, packages: &[String]) -> Result<()> {
    let Some(root) = Root::available() else {
        bail!("apt cannot be used here (no apt-get, or neither root nor a sudo that asks nothing)");
    };
    run_step("apt-get update", &mut root.apt(&["update"]))?;
    let server = format!("postgresql-{major}");
    let mut packages = packages.to_vec();
    if packages.contains(&server) {
        let _guard = NoCluster::arrange(&root)?;
        return root.install(&packages);
    }
    let headers = format!("postgresql-server-dev-{major}");
    if packages.contains(&headers) && root.would_upgrade(&server, &headers)? {
        // An upgrade of the server package would restart the user's servers, so its headers are only unpacked.
        let target = project.work.join(format!("unpacked-{major}"));
        unpack(project, &[&headers], &target)?;
        packages.retain(|package| *package != headers);
    }
    if packages.is_empty() { Ok(()) } else { root.install(&packages) }
}

/// Downloads packages and unpacks them below `target`. Nothing is installed and no service is started. Root is needed
/// only if the list of packages must be updated.
pub fn unpack(project: &Project, packages: &[&str], target: &Path) -> Result<()> {
    let folder = project.work.join("packages");
    std::fs::create_dir_all(&folder)?;
    let names = packages.join(", ");
    let download = || {
        let mut command = Command::new("apt-get");
        command.arg("download").args(packages).current_dir(&folder);
        run_step(&format!("downloading {names}"), &mut command)
    };
    if let Err(error) = download() {
        let Some(root) = Root::available() else {
            return Err(error);
        };
        run_step("apt-get update", &mut root.apt(&["update"]))?;
        download()?;
    }
    for file in std::fs::read_dir(&folder)?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if packages.iter().any(|package| name.starts_with(package)) {
            run_step(&format!("unpacking {name}"), Command::new("dpkg-deb").arg("-x").arg(file.path()).arg(target))?;
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// The permission to install packages, as root or through sudo.
struct Root {
    sudo: bool,
}

impl Root {
    fn available() -> Option<Root> {
        if !answers(Command::new("apt-get").arg("--version")) {
            return None;
        }
        if geteuid().is_root() {
            return Some(Root { sudo: false });
        }
        answers(Command::new("sudo").args(["-n", "true"])).then_some(Root { sudo: true })
    }

    fn command(&self, program: &str) -> Command {
        if self.sudo {
            let mut command = Command::new("sudo");
            command.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", program]);
            command
        } else {
            let mut command = Command::new(program);
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        }
    }

    fn apt(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("apt-get");
        command.args(["-o", "DPkg::Lock::Timeout=120", "-q"]).args(arguments);
        command
    }

    fn install(&self, packages: &[String]) -> Result<()> {
        let mut command = self.apt(&["install", "-y", "--no-install-recommends", "--no-upgrade"]);
        run_step(&format!("installing {}", packages.join(", ")), command.args(packages))?;
        Ok(())
    }

    /// Whether an installation would also upgrade the server. apt prints an upgrade with the installed version in
    /// brackets.
    fn would_upgrade(&self, server: &str, package: &str) -> Result<bool> {
        let output =
            Command::new("apt-get").args(["-s", "-q", "install", "--no-install-recommends", package]).output()?;
        let plan = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(plan.lines().any(|line| line.starts_with(&format!("Inst {server} ["))))
    }
}

/// While this value exists, the installation of a server package creates no cluster.
struct NoCluster<'a> {
    root: &'a Root,
}

impl NoCluster<'_> {
    fn arrange(root: &Root) -> Result<NoCluster<'_>> {
        let common = vec!["postgresql-common".to_string()];
        root.install(&common)?;
        let source: PathBuf = std::env::temp_dir().join(format!("multica-createcluster-{}", std::process::id()));
        std::fs::write(&source, "create_main_cluster = false\n")?;
        let copied = run_step(
            "keeping the server package from creating a cluster",
            root.command("install").args(["-D", "-m", "644"]).arg(&source).arg(DROP_IN),
        );
        std::fs::remove_file(&source)?;
        copied?;
        let guard = NoCluster { root };
        let heeded = Command::new("pg_conftool")
            .args(["/etc/postgresql-common/createcluster.conf", "show", "-b", "-s", "create_main_cluster"])
            .output()?;
        if String::from_utf8_lossy(&heeded.stdout).trim() != "off" {
            bail!(
                "/etc/postgresql-common/createcluster.conf does not read its folder createcluster.d, so installing the \
                 server would create and start a cluster; set create_main_cluster = false there, or install it yourself"
            );
        }
        Ok(guard)
    }
}

impl Drop for NoCluster<'_> {
    fn drop(&mut self) {
        if Path::new(DROP_IN).exists() {
            let _ = self.root.command("rm").arg(DROP_IN).status();
        }
    }
}
