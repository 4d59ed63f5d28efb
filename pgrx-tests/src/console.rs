//! Shows the progress of long steps: a spinner on a terminal, plain lines elsewhere.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How often a running step prints a line if stderr is not a terminal.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// One step of preparation that may take seconds or minutes.
pub struct Step {
    name: String,
    started: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Step {
    /// Prints the name of the step.
    pub fn start(name: &str) -> Step {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(name.to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("{name} ...");
        }
        let now = Instant::now();
        Step { name: name.to_string(), started: now, last_line: now, bar }
    }

    /// Shows the latest line of the step's output.
    pub fn say(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(line.to_string()),
            None if self.last_line.elapsed() >= SIGN_OF_LIFE => {
                eprintln!("  {:>4} s  {line}", self.started.elapsed().as_secs());
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// Ends the step and prints its duration.
    pub fn done(self) {
        self.close("");
    }

    fn close(self, verdict: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}{verdict} ({:.1} s)", self.name, self.started.elapsed().as_secs_f64());
    }
}

/// Runs `command` as a step of that name and returns its output. The whole output is printed only if the command fails.
pub fn run_step(name: &str, command: &mut Command) -> Result<String> {
    let mut step = Step::start(name);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let (sender, lines) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|pipe| forward(pipe, sender.clone())),
        child.stderr.take().map(|pipe| forward(pipe, sender.clone())),
    ];
    drop(sender);
    let mut output = String::new();
    for line in lines {
        step.say(line.trim());
        output.push_str(&line);
        output.push('\n');
    }
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let status = child.wait()?;
    if !status.success() {
        step.close(" failed");
        bail!("{name} failed ({status}):\n{output}");
    }
    step.done();
    Ok(output)
}

fn forward(pipe: impl Read + Send + 'static, sender: mpsc::Sender<String>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    })
}
