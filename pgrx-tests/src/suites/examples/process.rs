//! A Python program of docs/examples.

use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::context::Context;
use crate::tools::extras;

/// A running program, killed when dropped.
pub struct Program(Child);

impl Program {
    /// Starts `docs/examples/<name>`; what it complains of is in `output` of the work directory.
    pub fn start(
        context: &Context,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Program> {
        let folder = context.project.root.join("docs/examples");
        let python = extras::python(
            &context.project,
            "examples",
            &folder.join("requirements.txt"),
        )?;
        let log = context.project.work.join("output").join(name);
        std::fs::create_dir_all(log.parent().unwrap_or(&folder))?;
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log.with_extension("log"))?;
        let mut command = Command::new(python);
        command
            .arg(folder.join(name))
            .args(arguments)
            .envs(environment.iter().copied())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", context.project.work.join("output"))
            .current_dir(&context.project.work)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        Ok(Program(child))
    }

    /// What it prints.
    pub fn output(&mut self) -> Result<ChildStdout> {
        self.0.stdout.take().context("its output is read already")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        Ok(kill(
            Pid::from_raw(self.0.id().cast_signed()),
            Signal::SIGTERM,
        )?)
    }

    /// How it ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.0.wait()?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
