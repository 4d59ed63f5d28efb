//! One step, played by the model and by the database.

use super::step::{Step, Token};
use super::task::{Status, Task};
use super::world::{Model, assignee};

/// What a step answers: the columns of its rows, tasks as `#n`; or the SQLSTATE it is refused with.
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
    /// The task that a step means: none before there is one.
    pub fn meant(&self, task: usize) -> Option<usize> {
        (!self.tasks.is_empty()).then(|| task % self.tasks.len())
    }

    /// Plays a step and says what it is to answer. None: there is nothing yet that the step could be about.
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
            Step::Alone(agent, most) => {
                let task = self.task(agent, most);
                enqueued(self.enqueue(task))
            }
            Step::Claim(runtime, most) => numbers(self.claim(runtime, most as usize)),
            Step::Rerun(issue) => self.rerun(issue),
            Step::CancelIssue(issue, agent) => {
                let mine = |task: &Task| task.issue == Some(issue) && agent.is_none_or(|agent| task.agent == agent);
                rows(&[&self.cancel(mine).len()])
            }
            Step::CancelAgent(agent) => rows(&[&self.cancel(|task| task.agent == agent).len()]),
            Step::Sweep => self.sweep(),
            Step::Recover(runtime, keep) => {
                let keep = self.meant(keep);
                let mut orphans = self.those(|task| task.runtime == runtime && task.in_flight());
                orphans.retain(|at| Some(*at) != keep);
                let followed = self.fail(&orphans, "runtime_recovery");
                rows(&[&orphans.len(), &followed.retries.len()])
            }
            Step::Beat(runtime) => {
                self.beat(runtime);
                let stop = self.those(|task| !(task.runtime == runtime && task.in_flight()));
                rows(&[&"online", &stop.len()])
            }
            Step::Offline(runtime) => {
                let was = std::mem::replace(&mut self.runtimes[runtime].online, false);
                rows(&[&was])
            }
            Step::HandleFailed => {
                let failed = self.those(|task| task.status == Status::Failed);
                let followed = self.follow(&failed);
                rows(&[&followed.retries.len(), &followed.issues, &followed.agents])
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
            Step::Room(agent, room) => {
                self.agents[agent].room = room;
                rows(&[])
            }
            Step::IssueStatus(issue, status) => {
                self.issues[issue] = status;
                rows(&[])
            }
            Step::Start(task, token) => self.start(self.meant(task)?, token),
            Step::Pin(task, token) => self.pin(self.meant(task)?, token),
            Step::Complete(task, token) => self.complete(self.meant(task)?, token),
            Step::Fail(task, again, token) => self.report(self.meant(task)?, again, token),
            Step::Cancel(task) => {
                let at = self.meant(task)?;
                let applied = self.tasks[at].is_active();
                if applied {
                    self.finish(at, Status::Cancelled);
                    self.event("task:cancelled");
                    self.reconcile_of(&[at]);
                }
                rows(&[&applied])
            }
            Step::Retry(task) => {
                let retries = self.retry(&[self.meant(task)?]);
                numbers(retries.into_iter().map(|(_, retry)| retry))
            }
            Step::Age(task, secs) => {
                let (at, then) = (self.meant(task)?, self.ago(secs));
                let task = &mut self.tasks[at];
                task.dispatched = task.dispatched.map(|_| then);
                task.started = task.started.map(|_| then);
                rows(&[])
            }
            Step::FailByHand(task) => {
                let at = self.meant(task)?;
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
        let lost = self.those(|task| task.in_flight() && !self.runtimes[task.runtime].online);
        let of_offline = self.fail(&lost, "runtime_offline");
        let late = self.those(|task| match task.status {
            Status::Dispatched => task.dispatched.is_some_and(|at| at < self.ago(300)),
            Status::Running => task.started.is_some_and(|at| at < self.ago(9000)),
            _ => false,
        });
        let timed_out = self.fail(&late, "timeout");
        for at in self.those(|task| !self.runtimes[task.runtime].online) {
            self.bring_home(at);
        }
        let idle = (0..self.agents.len())
            .filter(|agent| self.agents[*agent].working)
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|agent| self.reconcile(*agent))
            .count();
        rows(&[
            &stale.len(),
            &lost.len(),
            &late.len(),
            &(of_offline.retries.len() + timed_out.retries.len()),
            &(of_offline.issues + timed_out.issues),
            &(of_offline.agents + timed_out.agents + idle),
        ])
    }

    /// A token that was never given belongs to no claim.
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

    fn report(&mut self, at: usize, again: bool, token: Token) -> Answer {
        if !self.tasks[at].is_active() {
            return rows(&[&false]);
        }
        if self.is_refused(at, token) || !self.tasks[at].in_flight() {
            return REFUSED;
        }
        let reason = if again { "timeout" } else { "agent_error" };
        let followed = self.fail(&[at], reason);
        let retry = followed.retries.into_iter().map(|(_, retry)| number(retry));
        Ok(std::iter::once("true".to_string()).chain(retry).collect())
    }
}
