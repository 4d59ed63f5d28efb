//! One step, as the model plays it.

use super::step::{Call, Step, Token, Which};
use super::task::{Status, Task};
use super::world::{Model, SECOND, assignee};

/// Seconds from the beginning of the sequence until a task with `run_after` is due.
const RUN_AFTER: i64 = 3600;

/// The result of a step: the columns of the returned rows, with tasks as `#n`, or the word of the error. An error without
/// a word has its SQLSTATE.
pub type Answer = Result<Vec<String>, &'static str>;

/// One row, or one row per column.
pub fn rows(columns: &[&dyn ToString]) -> Answer {
    Ok(columns.iter().map(|column| column.to_string()).collect())
}

/// An error.
pub fn refused(word: &'static str) -> Answer {
    Err(word)
}

/// The word for a task whose status does not allow the call.
pub fn word_for(task: &Task) -> &'static str {
    if task.is_active() { "wrong_state" } else { "final" }
}

/// A task in an answer.
pub fn number(at: usize) -> String {
    format!("#{at}")
}

fn numbers(tasks: impl IntoIterator<Item = usize>) -> Answer {
    Ok(tasks.into_iter().map(number).collect())
}

impl Model {
    /// Returns the task that a call is about, or None while there is no such task.
    pub fn task_of(&self, which: Which, call: Call) -> Option<usize> {
        let (number, among) = match which {
            Which::Fit(number) => (number, self.tasks_where(|task| call.fits(task))),
            Which::Any(number) => (number, self.tasks_where(|_| true)),
        };
        among.get(number.checked_rem(among.len())?).copied()
    }

    /// Plays a step and returns what the database must return, or None if the step is about a task and there is no
    /// such task.
    pub fn play(&mut self, step: Step) -> Option<Answer> {
        self.tick();
        Some(match step {
            Step::Task(which, call) => {
                let at = self.task_of(which, call)?;
                let token = call.token().map(|token| self.shown(at, token));
                self.call(at, call, token.unwrap_or(Token::None))
            }
            Step::Issue(issue, most, later) => {
                let task = self.for_issue(issue, assignee(issue), most);
                self.enqueued(task, later)
            }
            Step::Mention(issue, agent) => {
                let task = self.for_issue(issue, agent, 2);
                self.enqueued(task, false)
            }
            Step::Chat(chat, most, later) => {
                let task = Task { chat: Some(chat), priority: 2, ..self.task(chat, most) };
                self.enqueued(task, later)
            }
            Step::WithoutSource(agent, most, later) => {
                let task = self.task(agent, most);
                self.enqueued(task, later)
            }
            Step::Claim(runtime, _, process)
            | Step::Recover(runtime, _, process)
            | Step::Heartbeat(runtime, _, process)
                if !self.admits(runtime, process) =>
            {
                refused("superseded")
            }
            Step::Claim(runtime, most, process) => numbers(self.claim(runtime, most as usize, process)),
            Step::Rerun(issue) => self.rerun(issue),
            Step::CancelIssue(issue, agent) => {
                let is_selected =
                    |task: &Task| task.issue == Some(issue) && agent.is_none_or(|agent| task.agent == agent);
                let selected = self.tasks_where(is_selected);
                rows(&[&self.cancel(&selected)])
            }
            Step::CancelAgent(agent) => {
                let selected = self.tasks_where(|task| task.agent == agent);
                rows(&[&self.cancel(&selected)])
            }
            Step::Sweep => self.sweep(),
            Step::Register(runtime, process, recovers) => self.register(runtime, process, recovers),
            Step::Recover(runtime, keep, process) => {
                let keep = self.task_of(keep, Call::Pin(Token::None));
                let (orphans, done) = self.recover(runtime, keep, process);
                rows(&[&orphans, &done.retries.len()])
            }
            Step::Heartbeat(runtime, list, _) => self.beat(runtime, list),
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
            Step::Limit(scope, most) => {
                let former = match most {
                    Some(most) => self.limits.insert(scope, most),
                    None => self.limits.remove(&scope),
                };
                rows(&[&(former != most)])
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
        })
    }

    /// Plays a call about one task.
    fn call(&mut self, at: usize, call: Call, token: Token) -> Answer {
        match call {
            Call::Start(_) => self.start(at, token),
            Call::Wait(_) => self.wait(at, token),
            Call::ExtendLease(_) => self.extend_lease(at, token),
            Call::Requeue(_) => self.requeue(at, token),
            Call::Pin(_) => self.pin(at, token),
            Call::Complete(_) => self.complete(at, token),
            Call::Fail(reason, _) => self.report(at, reason, token),
            Call::Resume(_) => self.resume(at, token),
            Call::Cancel => rows(&[&(self.cancel(&[at]) == 1)]),
            Call::Retry => numbers(self.retry(&[at]).into_iter().map(|(_, retry)| retry)),
            Call::Age(secs) => {
                if self.tasks[at].is_active() {
                    self.tasks[at].age(secs * SECOND);
                }
                rows(&[])
            }
            Call::FailByHand => {
                if self.tasks[at].in_flight() {
                    self.finish(at, Status::Failed);
                    self.tasks[at].reason = Some("timeout");
                }
                rows(&[])
            }
        }
    }

    /// The token as the call gets it: a task that was not claimed has no current token.
    fn shown(&self, at: usize, token: Token) -> Token {
        match token {
            Token::Current if self.tasks[at].dispatched.is_none() => Token::None,
            token => token,
        }
    }

    fn enqueued(&mut self, task: Task, later: bool) -> Answer {
        let due = later.then_some(RUN_AFTER * SECOND);
        match self.enqueue(task.deferred(due)) {
            Some((at, created)) => rows(&[&number(at), &created]),
            None => refused("archived"),
        }
    }

    fn rerun(&mut self, issue: usize) -> Answer {
        let agent = assignee(issue);
        if self.agents[agent].archived {
            return refused("archived");
        }
        let replaced = self.tasks_where(|task| task.issue == Some(issue) && task.agent == agent);
        self.cancel(&replaced);
        self.insert(self.for_issue(issue, agent, 2));
        rows(&[&number(self.tasks.len() - 1), &1])
    }

    /// A late pin of a cancelled task is stored or not, which depends on sessions, and the model has none.
    fn pin(&mut self, at: usize, token: Token) -> Answer {
        let task = &mut self.tasks[at];
        match (task.status, token) {
            (Status::Cancelled, _) => rows(&[&"late"]),
            (Status::Completed | Status::Failed, _) => rows(&[&false]),
            (_, Token::Stale) => refused("stale_claim"),
            _ => {
                let is_stored = task.in_flight();
                if is_stored {
                    task.signed = Some(self.now);
                }
                rows(&[&is_stored])
            }
        }
    }

    fn complete(&mut self, at: usize, token: Token) -> Answer {
        let at = self.end_of(at, token);
        let task = &self.tasks[at];
        if !task.is_active() {
            return rows(&[&number(at), &false]);
        }
        if token == Token::Stale {
            return refused("stale_claim");
        }
        if task.status != Status::Running {
            return refused("wrong_state");
        }
        self.finish(at, Status::Completed);
        self.event("task:completed");
        self.reconcile_of(&[at]);
        rows(&[&number(at), &true])
    }

    fn report(&mut self, at: usize, reason: Option<&'static str>, token: Token) -> Answer {
        let at = self.end_of(at, token);
        let task = &self.tasks[at];
        if !task.is_active() {
            return rows(&[&number(at), &false]);
        }
        if token == Token::Stale {
            return refused("stale_claim");
        }
        if !task.in_flight() {
            return refused("wrong_state");
        }
        let consequences = self.fail(&[at], reason.unwrap_or("agent_error.unknown"));
        let retry = consequences.retries.into_iter().map(|(_, retry)| number(retry));
        Ok([number(at), "true".to_string()].into_iter().chain(retry).collect())
    }
}
