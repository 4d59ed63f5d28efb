//! One step, as the model plays it.

use super::step::{Step, Token};
use super::task::{Status, Task};
use super::world::{Model, assignee};

/// The result of a step: the columns of the returned rows, with tasks as `#n`, or the SQLSTATE of the error.
pub type Answer = Result<Vec<String>, &'static str>;

const REFUSED: Answer = Err("55000");

fn rows(columns: &[&dyn ToString]) -> Answer {
    Ok(columns.iter().map(|column| column.to_string()).collect())
}

fn number(at: usize) -> String {
    format!("#{at}")
}

fn numbers(tasks: impl IntoIterator<Item = usize>) -> Answer {
    Ok(tasks.into_iter().map(number).collect())
}

fn enqueued(created: Option<(usize, bool)>) -> Answer {
    match created {
        Some((at, fresh)) => rows(&[&number(at), &fresh]),
        None => REFUSED,
    }
}

impl Model {
    /// Returns the task that a step is about, or None while there is no task.
    pub fn task_of(&self, task: usize) -> Option<usize> {
        (!self.tasks.is_empty()).then(|| task % self.tasks.len())
    }

    /// Plays a step and returns what the database must return, or None if the step is about a task and there is no task
    /// yet.
    pub fn play(&mut self, step: Step) -> Option<Answer> {
        self.tick();
        Some(match step {
            Step::Issue(issue, most) => {
                let task = self.for_issue(issue, assignee(issue), most);
                enqueued(self.enqueue(task))
            }
            Step::Mention(issue, agent) => {
                let task = self.for_issue(issue, agent, 2);
                enqueued(self.enqueue(task))
            }
            Step::Chat(chat, most) => {
                let task = Task { chat: Some(chat), priority: 2, ..self.task(chat, most) };
                enqueued(self.enqueue(task))
            }
            Step::WithoutSource(agent, most) => {
                let task = self.task(agent, most);
                enqueued(self.enqueue(task))
            }
            Step::Claim(runtime, most) => numbers(self.claim(runtime, most as usize)),
            Step::Rerun(issue) => self.rerun(issue),
            Step::CancelIssue(issue, agent) => {
                let is_selected =
                    |task: &Task| task.issue == Some(issue) && agent.is_none_or(|agent| task.agent == agent);
                rows(&[&self.cancel(is_selected).len()])
            }
            Step::CancelAgent(agent) => rows(&[&self.cancel(|task| task.agent == agent).len()]),
            Step::Sweep => self.sweep(),
            Step::Recover(runtime, keep) => {
                let keep = self.task_of(keep);
                let mut orphans = self.tasks_where(|task| task.runtime == runtime && task.in_flight());
                orphans.retain(|at| Some(*at) != keep);
                let consequences = self.fail(&orphans, "runtime_recovery");
                rows(&[&orphans.len(), &consequences.retries.len()])
            }
            Step::Heartbeat(runtime) => {
                self.heartbeat(runtime);
                let stop = self.tasks_where(|task| !(task.runtime == runtime && task.in_flight()));
                rows(&[&"online", &stop.len()])
            }
            Step::Offline(runtime) => {
                let was = std::mem::replace(&mut self.runtimes[runtime].online, false);
                rows(&[&was])
            }
            Step::HandleFailed => {
                let failed = self.tasks_where(|task| task.status == Status::Failed);
                let consequences = self.apply_consequences(&failed);
                rows(&[&consequences.retries.len(), &consequences.issues, &consequences.agents])
            }
            Step::Reconcile(agent) => {
                self.reconcile(agent);
                rows(&[&if self.agents[agent].working { "working" } else { "idle" }])
            }
            Step::Silence(runtime, secs) => {
                self.runtimes[runtime].seen = self.ago(secs);
                rows(&[])
            }
            Step::Archive(agent, archived) => {
                self.agents[agent].archived = archived;
                rows(&[])
            }
            Step::Move(agent, runtime) => {
                self.agents[agent].runtime = runtime;
                rows(&[])
            }
            Step::Capacity(agent, capacity) => {
                self.agents[agent].capacity = capacity;
                rows(&[])
            }
            Step::IssueStatus(issue, status) => {
                self.issues[issue] = status;
                rows(&[])
            }
            Step::Start(task, token) => self.start(self.task_of(task)?, token),
            // The model has no sessions, and a late pin of a cancelled task depends on its session.
            Step::Pin(task, token) => {
                let at = self.task_of(task)?;
                if self.tasks[at].status == Status::Cancelled {
                    return None;
                }
                self.pin(at, token)
            }
            Step::Complete(task, token) => self.complete(self.task_of(task)?, token),
            Step::Fail(task, may_retry, token) => self.report(self.task_of(task)?, may_retry, token),
            Step::Cancel(task) => {
                let at = self.task_of(task)?;
                let applied = self.tasks[at].is_active();
                if applied {
                    self.finish(at, Status::Cancelled);
                    self.event("task:cancelled");
                    self.reconcile_of(&[at]);
                }
                rows(&[&applied])
            }
            Step::Retry(task) => {
                let retries = self.retry(&[self.task_of(task)?]);
                numbers(retries.into_iter().map(|(_, retry)| retry))
            }
            Step::Age(task, secs) => {
                let (at, then) = (self.task_of(task)?, self.ago(secs));
                let task = &mut self.tasks[at];
                task.dispatched = task.dispatched.map(|_| then);
                task.started = task.started.map(|_| then);
                rows(&[])
            }
            Step::FailByHand(task) => {
                let at = self.task_of(task)?;
                if self.tasks[at].in_flight() {
                    self.finish(at, Status::Failed);
                    self.tasks[at].reason = Some("timeout");
                }
                rows(&[])
            }
        })
    }

    fn rerun(&mut self, issue: usize) -> Answer {
        let agent = assignee(issue);
        if self.agents[agent].archived {
            return REFUSED;
        }
        self.cancel(|task| task.issue == Some(issue) && task.agent == agent);
        let task = self.for_issue(issue, agent, 2);
        match self.enqueue(task) {
            Some((at, _)) => rows(&[&number(at), &1]),
            None => REFUSED,
        }
    }

    fn sweep(&mut self) -> Answer {
        let stale: Vec<usize> = (0..self.runtimes.len())
            .filter(|at| self.runtimes[*at].online && self.runtimes[*at].seen < self.ago(45))
            .collect();
        for at in &stale {
            self.runtimes[*at].online = false;
        }
        let of_stale = self.tasks_where(|task| task.in_flight() && !self.runtimes[task.runtime].online);
        let of_offline = self.fail(&of_stale, "runtime_offline");
        let overdue = self.tasks_where(|task| match task.status {
            Status::Dispatched => task.dispatched.is_some_and(|at| at < self.ago(300)),
            Status::Running => task.started.is_some_and(|at| at < self.ago(9000)),
            _ => false,
        });
        let timed_out = self.fail(&overdue, "timeout");
        for at in self.tasks_where(|task| !self.runtimes[task.runtime].online) {
            self.move_to_agent(at);
        }
        let idle = (0..self.agents.len())
            .filter(|agent| self.agents[*agent].working)
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|agent| self.reconcile(*agent))
            .count();
        rows(&[
            &stale.len(),
            &of_stale.len(),
            &overdue.len(),
            &(of_offline.retries.len() + timed_out.retries.len()),
            &(of_offline.issues + timed_out.issues),
            &(of_offline.agents + timed_out.agents + idle),
        ])
    }

    /// A token that no claim returned is refused for an active task.
    fn is_refused(&self, at: usize, token: Token) -> bool {
        token == Token::Stale && self.tasks[at].is_active()
    }

    fn start(&mut self, at: usize, token: Token) -> Answer {
        let now = self.ago(0);
        let task = &mut self.tasks[at];
        match (task.status, token) {
            (Status::Dispatched, Token::None | Token::Current) => {
                task.status = Status::Running;
                task.started = Some(now);
                self.event("task:running");
                rows(&[&true])
            }
            (Status::Running, Token::Current) => rows(&[&false]),
            _ => REFUSED,
        }
    }

    fn pin(&mut self, at: usize, token: Token) -> Answer {
        if self.is_refused(at, token) {
            return REFUSED;
        }
        rows(&[&self.tasks[at].in_flight()])
    }

    fn complete(&mut self, at: usize, token: Token) -> Answer {
        let status = self.tasks[at].status;
        if !self.tasks[at].is_active() {
            return rows(&[&false]);
        }
        if self.is_refused(at, token) || status != Status::Running {
            return REFUSED;
        }
        self.finish(at, Status::Completed);
        self.event("task:completed");
        self.reconcile_of(&[at]);
        rows(&[&true])
    }

    fn report(&mut self, at: usize, may_retry: bool, token: Token) -> Answer {
        if !self.tasks[at].is_active() {
            return rows(&[&false]);
        }
        if self.is_refused(at, token) || !self.tasks[at].in_flight() {
            return REFUSED;
        }
        let reason = if may_retry { "timeout" } else { "agent_error.unknown" };
        let consequences = self.fail(&[at], reason);
        let retry = consequences.retries.into_iter().map(|(_, retry)| number(retry));
        Ok(std::iter::once("true".to_string()).chain(retry).collect())
    }
}
