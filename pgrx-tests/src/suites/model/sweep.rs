//! Sweeps, heartbeats and recoveries.

use super::consequences::Consequences;
use super::play::{Answer, number, refused, rows};
use super::step::List;
use super::task::{Status, Task, Unnamed};
use super::world::Model;

/// `multica.dispatch_timeout` in seconds.
const DISPATCH_TIMEOUT: i64 = 300;
/// `multica.running_timeout` in seconds.
const RUNNING_TIMEOUT: i64 = 9000;
/// `multica.lost_after` in seconds, and how long a task must have run to be lost.
const LOST_AFTER: i64 = 90;
/// Seconds for which a deferred retry waits for its runtime.
const RECONNECT_GRACE: i64 = 10_800;

impl Model {
    /// Runs the stages of a sweep.
    pub fn sweep(&mut self) -> Answer {
        let is_stale = |at: &usize| self.runtimes[*at].online && !self.is_alive(*at);
        let stale: Vec<usize> = (0..self.runtimes.len()).filter(is_stale).collect();
        for at in &stale {
            self.runtimes[*at].online = false;
        }
        let mut done = Consequences::default();
        let offline = self.tasks_where(|task| task.in_flight() && !self.runtimes[task.runtime].online);
        done += self.fail_silent(&offline, "runtime_offline");
        let timed_out = self.tasks_where(|task| self.is_overdue(task));
        done += self.fail_silent(&timed_out, "timeout");
        let lost = self.tasks_where(|task| self.is_lost(task));
        done += self.fail(&lost, "runtime_recovery");
        let abandoned = self.tasks_where(|task| self.is_abandoned(task));
        done += self.fail(&abandoned, "runtime_reconnect_timeout");
        self.promote(|_| true);
        for at in self.tasks_where(|task| !self.runtimes[task.runtime].online) {
            self.move_to_agent(at);
        }
        for agent in 0..self.agents.len() {
            if self.agents[agent].working && self.reconcile(agent) {
                done.agents += 1;
            }
        }
        self.forget_processes();
        rows(&[
            &stale.len(),
            &(offline.len() + lost.len()),
            &(timed_out.len() + abandoned.len()),
            &done.retries.len(),
            &done.issues,
            &done.agents,
        ])
    }

    fn fail_silent(&mut self, tasks: &[usize], reason: &'static str) -> Consequences {
        for &at in tasks {
            self.tasks[at].silenced = true;
        }
        self.fail(tasks, reason)
    }

    fn is_overdue(&self, task: &Task) -> bool {
        match task.status {
            Status::Dispatched => {
                let is_leased = task.lease.is_some_and(|until| until >= self.now);
                task.dispatched.is_some_and(|at| at < self.ago(DISPATCH_TIMEOUT)) && !is_leased
            }
            Status::Running => task.started.is_some_and(|at| at < self.ago(RUNNING_TIMEOUT)),
            _ => false,
        }
    }

    /// Whether the daemon of a task is alive and has lost the task: two lists in a row did not name it, and nothing
    /// speaks for it.
    fn is_lost(&self, task: &Task) -> bool {
        let since = self.ago(LOST_AFTER);
        let Some(Unnamed { first, last: Some(last) }) = task.unnamed else { return false };
        let has_run_long = task.started.or(task.dispatched).is_some_and(|began| began < since);
        let has_signed = task.signed.is_some_and(|at| at >= since || at >= last);
        task.is_to_be_named() && self.is_alive(task.runtime) && first < since && has_run_long && !has_signed
    }

    /// Whether a deferred retry has waited too long for its runtime.
    fn is_abandoned(&self, task: &Task) -> bool {
        let is_late = task.due.is_some_and(|due| due < self.ago(RECONNECT_GRACE));
        task.status == Status::Deferred && task.parent.is_some() && is_late && !self.is_alive(task.runtime)
    }

    /// Forgets which processes have claimed tasks that have ended, as far as no retry needs this.
    fn forget_processes(&mut self) {
        let has_waiting_retry = |at: usize| self.any(|task| task.parent == Some(at) && task.is_waiting());
        let is_forgotten = |at: &usize| {
            let task = &self.tasks[*at];
            !(task.is_active() || task.taken || task.status == Status::Failed && has_waiting_retry(*at))
        };
        let forgotten: Vec<usize> = (0..self.tasks.len()).filter(is_forgotten).collect();
        for at in forgotten {
            self.tasks[at].process = None;
        }
    }

    /// Records a heartbeat with a list; returns which of the named tasks the daemon must stop, and with which of these
    /// it can go on.
    pub fn beat(&mut self, runtime: usize, list: List) -> Answer {
        self.heartbeat(runtime);
        let (mut stop, mut resume) = (Vec::new(), Vec::new());
        if list == List::Full {
            stop = self.tasks_where(|task| !(task.runtime == runtime && task.in_flight()));
            resume = stop.iter().copied().filter(|at| self.can_resume(*at, runtime)).collect();
        }
        let now = self.now;
        for task in self.tasks.iter_mut().filter(|task| task.runtime == runtime && task.is_to_be_named()) {
            task.unnamed = match (list, task.unnamed) {
                (List::None, before) => before,
                (List::Full, _) => None,
                (List::Empty, None) => Some(Unnamed { first: now, last: None }),
                (List::Empty, Some(before)) => Some(Unnamed { last: Some(now), ..before }),
            };
        }
        let listed = |tasks: Vec<usize>| tasks.into_iter().map(number).collect::<Vec<_>>().join(" ");
        rows(&[&"online", &listed(stop), &listed(resume)])
    }

    /// Fails the tasks that a former process has left in flight on a runtime: not those that the daemon still runs, nor
    /// those that this process has claimed.
    pub fn recover(&mut self, runtime: usize, keep: Option<usize>, process: Option<usize>) -> (usize, Consequences) {
        let is_own = |task: &Task| process.is_some() && task.process == process;
        let mut orphans = self.tasks_where(|task| task.runtime == runtime && task.in_flight() && !is_own(task));
        orphans.retain(|at| Some(*at) != keep);
        let done = self.fail(&orphans, "runtime_recovery");
        if let Some(at) = keep {
            self.tasks[at].unnamed = None;
        }
        (orphans.len(), done)
    }

    /// Registers a runtime for a daemon process. The incarnation replaces the one that was registered.
    pub fn register(&mut self, runtime: usize, process: Option<usize>, recovers: bool) -> Answer {
        let row = &mut self.runtimes[runtime];
        if process.is_some_and(|process| row.replaced.contains(&process)) {
            return refused("superseded");
        }
        if process.is_some() && process != row.process {
            let former = std::mem::replace(&mut row.process, process);
            row.replaced.extend(former);
        }
        self.heartbeat(runtime);
        if recovers {
            self.recover(runtime, None, process);
        }
        rows(&[&1])
    }
}
