//! A Python program of docs/examples.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::Cluster;
use crate::context::Context;
use crate::suites::support::LIMIT;
use crate::tools::extras;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A copy of one program in its own folder, without the other files of docs/examples.
pub struct Example {
    name: String,
    python: PathBuf,
    log: PathBuf,
    /// Where the copy is; the program runs there.
    pub folder: PathBuf,
}

impl Example {
    /// Copies `docs/examples/<name>`, and installs a Python with the packages that it needs.
    pub fn copy(context: &Context, name: &str) -> Result<Example> {
        let shipped = context.project.root.join("docs/examples");
        let python = extras::python(&context.project, "examples", &shipped.join("requirements.txt"))?;
        let output = context.project.work.join("output");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = output.join(format!("example-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(shipped.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
        Ok(Example { name: name.to_string(), python, log: output.join(name).with_extension("log"), folder })
    }

    /// Starts the program. Its stderr is written to `output` in the work directory.
    pub fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Program> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = self.command(environment);
        command.args(arguments).stdout(Stdio::piped()).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot run {}", self.name))?;
        Ok(Program(child))
    }

    /// Runs the program, which must end with an error, and returns its stderr.
    pub fn failure(&self, environment: &[(&str, &str)]) -> Result<String> {
        let child = self.command(environment).stderr(Stdio::piped()).spawn();
        let mut program = Program(child.with_context(|| format!("cannot run {}", self.name))?);
        let what = format!("{} ends with {environment:?}", self.name);
        Cluster::wait_until(&what, LIMIT, || Ok(!program.runs()?))?;
        ensure!(!program.wait()?.success(), "{} succeeded with {environment:?}", self.name);
        let mut text = String::new();
        program.0.stderr.take().context("stderr was taken before")?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn command(&self, environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.python);
        for setting in ["DATABASE_URL", "REDIS_URL"] {
            command.env_remove(setting);
        }
        command
            .arg(&self.name)
            .envs(environment.iter().copied())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", self.folder.parent().unwrap_or(&self.folder))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running program, killed when dropped.
pub struct Program(Child);

impl Program {
    /// Its stdout.
    pub fn output(&mut self) -> Result<ChildStdout> {
        self.0.stdout.take().context("the output was taken before")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Stops the program, as if its machine fell asleep.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a program go on that was stopped.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.0.id().cast_signed()), signal)?)
    }

    /// Waits for the end and returns the exit status.
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

/// A number below `limit`, for the moment of a kill.
pub fn random(limit: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) / 1000 % limit
}
