//! A daemon of the demo. It is a separate process, which has only a database connection and the disk of its machine.

use std::convert::Infallible;
use std::time::Instant;

use anyhow::Result;
use uuid::Uuid;

use super::calls::{Calls, Claim};
use super::identity::Identity;
use super::orders::{self, Order};
use super::session_folder::SessionFolder;

/// A task that the daemon works on.
struct Work {
    task: Uuid,
    token: i64,
    attempt: i32,
    issue: String,
    steps: usize,
    folder: SessionFolder,
    hangs: bool,
}

impl Work {
    fn is_finished(&self) -> bool {
        self.folder.steps_done() >= self.steps
    }
}

struct Daemon<'a> {
    identity: &'a Identity,
    /// None while there is no network.
    calls: Option<Calls>,
    runtime: Uuid,
    incarnation: Uuid,
    next_heartbeat: Instant,
    work: Vec<Work>,
}

/// Registers, prints the id of the runtime, then works until it is killed or the demo ends. The demo prints its output.
pub fn run(identity: &Identity) -> Result<Infallible> {
    let orders = orders::receive()?;
    let calls = Calls::register(identity)?;
    let (runtime, incarnation) = calls.identity();
    println!("{runtime}");
    let next_heartbeat = Instant::now();
    let mut daemon = Daemon { identity, calls: Some(calls), runtime, incarnation, next_heartbeat, work: Vec::new() };
    loop {
        for order in orders.try_iter() {
            daemon.obey(order)?;
        }
        daemon.round()?;
        std::thread::sleep(identity.round());
    }
}

impl Daemon<'_> {
    fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::Disconnect => self.calls = None,
            Order::Connect => self.calls = Some(Calls::reconnect(self.identity, self.runtime, self.incarnation)?),
            Order::Hang => self.work.iter_mut().for_each(|work| work.hangs = true),
            Order::Lose => self.work.clear(),
        }
        Ok(())
    }

    /// Results come before the heartbeat: the result of a task that has failed meanwhile may still count, but the
    /// heartbeat says to stop the task. The heartbeat comes before the claim, which would take a retry that the run can
    /// take over.
    fn round(&mut self) -> Result<()> {
        if let Some(mut calls) = self.calls.take() {
            self.complete(&mut calls)?;
            if self.next_heartbeat <= Instant::now() {
                self.heartbeat(&mut calls)?;
                self.next_heartbeat = Instant::now() + self.identity.heartbeat();
            }
            self.claim(&mut calls)?;
            self.calls = Some(calls);
        }
        self.step()
    }

    fn complete(&mut self, calls: &mut Calls) -> Result<()> {
        for work in self.work.extract_if(.., |work| work.is_finished()) {
            println!("reports the result of {} (attempt {})", work.issue, work.attempt);
            if !calls.complete(work.task, work.token, work.steps, &work.folder.session())? {
                println!("learns that the result of {} is refused", work.issue);
            }
        }
        Ok(())
    }

    /// Names the tasks that the daemon works on. Goes on with those that have failed and can go on, and stops the others
    /// that have failed.
    fn heartbeat(&mut self, calls: &mut Calls) -> Result<()> {
        let running: Vec<Uuid> = self.work.iter().map(|work| work.task).collect();
        let (stop, resume) = calls.heartbeat(&running)?;
        for mut work in self.work.extract_if(.., |work| stop.contains(&work.task)).collect::<Vec<_>>() {
            let (issue, attempt) = (&work.issue, work.attempt);
            let mut resumed = None;
            if resume.contains(&work.task) {
                println!(
                    "learns by its heartbeat that {issue} (attempt {attempt}) has failed and can go on: multica_resume"
                );
                resumed = calls.resume(work.task, work.token)?;
            }
            if let Some(retry) = resumed {
                (work.task, work.token, work.attempt) = retry;
                self.work.push(work);
            } else {
                println!("learns by its heartbeat that {issue} (attempt {attempt}) has failed, and stops the agent");
            }
        }
        Ok(())
    }

    /// Claims tasks up to its number of places.
    fn claim(&mut self, calls: &mut Calls) -> Result<()> {
        let free = self.identity.places.saturating_sub(self.work.len());
        if free == 0 {
            return Ok(());
        }
        for claim in calls.claim(i32::try_from(free)?)? {
            let work = self.prepare(&claim)?;
            let session = work.folder.session();
            if calls.start(&claim, &session, &work.folder.path().to_string_lossy())? {
                let (issue, attempt, next) = (&work.issue, claim.attempt, work.folder.steps_done() + 1);
                let verb = if claim.session.is_some() { "resumes" } else { "starts" };
                println!("{verb} {issue} (attempt {attempt}) in {session}, at step {next} of {}", work.steps);
                self.work.push(work);
            }
        }
        Ok(())
    }

    /// The context of the task has its issue and the number of its steps.
    fn prepare(&self, claim: &Claim) -> Result<Work> {
        let new = || format!("session-{}", &claim.task.simple().to_string()[..8]);
        let session = claim.session.clone().unwrap_or_else(new);
        Ok(Work {
            task: claim.task,
            token: claim.token,
            attempt: claim.attempt,
            issue: claim.context["issue"].as_str().unwrap_or_default().to_string(),
            steps: claim.context["steps"].as_u64().unwrap_or(1) as usize,
            folder: SessionFolder::open(&self.identity.disk, &session)?,
            hangs: false,
        })
    }

    /// Does one step of each task.
    fn step(&mut self) -> Result<()> {
        for work in self.work.iter_mut().filter(|work| !work.hangs && !work.is_finished()) {
            work.folder.step()?;
            if self.identity.reports_progress
                && let Some(calls) = &mut self.calls
            {
                calls.progress(work.task, work.token, work.folder.steps_done(), work.steps)?;
            }
        }
        Ok(())
    }
}
