//! Programs that are missing on the machine. Their installation is announced, or refused with `--no-install`.

use std::fmt::{Display, Formatter};

use anyhow::{Result, bail};

use crate::project::Project;

/// Something that is missing.
pub struct Missing {
    what: String,
    why: &'static str,
    by_hand: String,
    /// The Debian package that contains it, if it comes from a package that must be installed.
    pub package: Option<String>,
}

impl Missing {
    /// Something that a Debian package contains.
    pub fn of_package(what: impl Into<String>, why: &'static str, package: impl Into<String>) -> Missing {
        let package = package.into();
        Missing {
            by_hand: format!("Debian and Ubuntu: package {package}"),
            package: Some(package),
            ..Missing::by_hand(what, why, "")
        }
    }

    /// Something that comes from elsewhere. `by_hand` is the command or action with which a person installs it.
    pub fn by_hand(what: impl Into<String>, why: &'static str, by_hand: impl Into<String>) -> Missing {
        Missing { what: what.into(), why, by_hand: by_hand.into(), package: None }
    }
}

impl Display for Missing {
    fn fmt(&self, to: &mut Formatter) -> std::fmt::Result {
        write!(to, "  {}: {} ({})", self.what, self.why, self.by_hand)
    }
}

/// Prints what will be installed and why. Fails if the command line forbids installations.
pub fn announce(project: &Project, missing: &[Missing]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    if !project.may_install {
        bail!("{}", list("Missing on this machine, and --no-install is set. Please install and repeat:", missing));
    }
    eprintln!("{}", list("Missing on this machine, and installed now (--no-install refuses instead):", missing));
    Ok(())
}

/// Returns the list of what is missing, below a heading.
pub fn list(heading: &str, missing: &[Missing]) -> String {
    let lines = missing.iter().map(|one| format!("\n{one}"));
    std::iter::once(heading.to_string()).chain(lines).collect()
}
