//! The steps, and how they are drawn.

use proptest::prelude::*;

use super::task::{Status, Task};

/// The claim token that a daemon passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// No token, so the call does not check it.
    None,
    /// The token of the last claim.
    Current,
    /// A token that no claim returned.
    Stale,
}

/// Which task a step is about: the n-th, modulo their number.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// Of the tasks for which the call is meant.
    Fit(usize),
    /// Of all tasks.
    Any(usize),
}

/// A list of tasks in a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// No list.
    None,
    /// A list without any task.
    Empty,
    /// A list of all tasks.
    Full,
}

/// What a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A runtime.
    Runtime(usize),
    /// The provider of both runtimes.
    Provider,
    /// The workspace of both runtimes.
    Workspace,
}

/// A call about one task, or what happens to it.
#[derive(Debug, Clone, Copy)]
pub enum Call {
    /// multica_start
    Start(Token),
    /// multica_wait
    Wait(Token),
    /// multica_extend_lease
    ExtendLease(Token),
    /// multica_requeue
    Requeue(Token),
    /// multica_pin_session
    Pin(Token),
    /// multica_complete
    Complete(Token),
    /// multica_fail, with a reason
    Fail(Option<&'static str>, Token),
    /// multica_resume
    Resume(Token),
    /// multica_cancel
    Cancel,
    /// multica_retry
    Retry,
    /// This many seconds pass for an active task.
    Age(i64),
    /// An application fails a task in flight with its own SQL.
    FailByHand,
}

impl Call {
    /// Whether the call is meant for such a task.
    pub fn fits(self, task: &Task) -> bool {
        match self {
            Call::Start(_) | Call::ExtendLease(_) => task.is_claimed(),
            Call::Wait(_) | Call::Requeue(_) => task.status == Status::Dispatched,
            Call::Pin(_) => task.status == Status::Running,
            Call::Complete(_) | Call::Fail(..) => task.status == Status::Running || task.silenced,
            Call::Resume(_) => task.silenced,
            Call::Retry => task.status == Status::Failed,
            Call::Age(_) => task.in_flight() || task.status == Status::Deferred,
            Call::Cancel | Call::FailByHand => task.is_active(),
        }
    }

    /// The token that the call passes.
    pub fn token(self) -> Option<Token> {
        match self {
            Call::Start(token)
            | Call::Wait(token)
            | Call::ExtendLease(token)
            | Call::Requeue(token)
            | Call::Pin(token)
            | Call::Complete(token)
            | Call::Fail(_, token)
            | Call::Resume(token) => Some(token),
            Call::Cancel | Call::Retry | Call::Age(_) | Call::FailByHand => None,
        }
    }
}

/// One step. Runtimes, agents, issues, chats and the incarnations of processes are counted from 0.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A call about one task.
    Task(Which, Call),
    /// multica_enqueue_issue, for now or for later
    Issue(usize, i32, bool),
    /// multica_enqueue_mention
    Mention(usize, usize),
    /// multica_enqueue_chat
    Chat(usize, i32, bool),
    /// multica_enqueue
    WithoutSource(usize, i32, bool),
    /// multica_claim
    Claim(usize, i32, Option<usize>),
    /// multica_cancel_issue_tasks
    CancelIssue(usize, Option<usize>),
    /// multica_cancel_agent_tasks
    CancelAgent(usize),
    /// multica_rerun
    Rerun(usize),
    /// multica_sweep
    Sweep,
    /// multica_register, with or without a recovery
    Register(usize, Option<usize>, bool),
    /// multica_recover_orphans, with one task as running
    Recover(usize, Which, Option<usize>),
    /// multica_heartbeat
    Heartbeat(usize, List, Option<usize>),
    /// multica_set_runtime_offline
    Offline(usize),
    /// multica_handle_failed_tasks, with every task
    HandleFailed,
    /// multica_reconcile_agent
    Reconcile(usize),
    /// multica_limit
    Limit(Scope, Option<i32>),
    /// The last heartbeat of a runtime was this many seconds ago.
    Silence(usize, i64),
    /// An application archives an agent, or restores it.
    Archive(usize, bool),
    /// An application binds an agent to a runtime.
    Move(usize, usize),
    /// An application sets max_concurrent_tasks of an agent.
    Capacity(usize, i32),
    /// A user sets an issue's status.
    IssueStatus(usize, &'static str),
}

fn two() -> std::ops::Range<usize> {
    0..2
}

/// Two of the issues more often, so that more tasks meet others of the same issue and agent.
fn issue() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 1 => Just(1), 3 => Just(2), 1 => Just(3)]
}

fn process() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![Just(None), (0..2usize).prop_map(Some)]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![5 => (0..12usize).prop_map(Which::Fit), 1 => (0..12usize).prop_map(Which::Any)]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![1 => Just(Token::None), 6 => Just(Token::Current), 1 => Just(Token::Stale)]
}

fn of_task(call: impl Strategy<Value = Call>) -> impl Strategy<Value = Step> {
    (which(), call).prop_map(|(which, call)| Step::Task(which, call))
}

fn of_daemons() -> impl Strategy<Value = Step> {
    let network = "agent_error.provider_network";
    let reason = prop_oneof![1 => Just(None), 1 => Just(Some("timeout")), 2 => Just(Some(network))];
    let list = prop_oneof![1 => Just(List::None), 2 => Just(List::Empty), 2 => Just(List::Full)];
    let most = prop_oneof![1 => Just(0), 5 => Just(1), 5 => 2..4i32];
    let registering = prop_oneof![1 => Just(None), 3 => (0..3usize).prop_map(Some)];
    prop_oneof![
        24 => (two(), most, process()).prop_map(|(runtime, most, process)| Step::Claim(runtime, most, process)),
        20 => of_task(token().prop_map(Call::Start)),
        4 => of_task(token().prop_map(Call::Wait)),
        3 => of_task(token().prop_map(Call::ExtendLease)),
        2 => of_task(token().prop_map(Call::Requeue)),
        2 => of_task(token().prop_map(Call::Pin)),
        10 => of_task(token().prop_map(Call::Complete)),
        12 => of_task((reason, token()).prop_map(|(reason, token)| Call::Fail(reason, token))),
        14 => of_task(token().prop_map(Call::Resume)),
        6 => (two(), list, process()).prop_map(|(runtime, list, process)| Step::Heartbeat(runtime, list, process)),
        1 => two().prop_map(Step::Offline),
        2 => (two(), which(), process()).prop_map(|(runtime, keep, process)| Step::Recover(runtime, keep, process)),
        2 => (two(), registering, any::<bool>()).prop_map(|(at, process, recovers)| Step::Register(at, process, recovers)),
    ]
}

fn of_users() -> impl Strategy<Value = Step> {
    let attempts = || 1..4i32;
    let later = || prop_oneof![4 => Just(false), 1 => Just(true)];
    let status = prop_oneof![Just("in_progress"), Just("todo"), Just("done")];
    let scope = prop_oneof![two().prop_map(Scope::Runtime), Just(Scope::Provider), Just(Scope::Workspace)];
    let most = prop_oneof![1 => Just(None), 2 => (0..4i32).prop_map(Some)];
    let archived = prop_oneof![1 => Just(true), 2 => Just(false)];
    let capacity = prop_oneof![1 => -1..1i32, 3 => 1..4i32];
    prop_oneof![
        10 => (issue(), attempts(), later()).prop_map(|(issue, most, later)| Step::Issue(issue, most, later)),
        4 => (issue(), two()).prop_map(|(issue, agent)| Step::Mention(issue, agent)),
        7 => (two(), attempts(), later()).prop_map(|(chat, most, later)| Step::Chat(chat, most, later)),
        4 => (two(), attempts(), later()).prop_map(|(agent, most, later)| Step::WithoutSource(agent, most, later)),
        2 => of_task(Just(Call::Cancel)),
        1 => (issue(), proptest::option::of(two())).prop_map(|(issue, agent)| Step::CancelIssue(issue, agent)),
        1 => two().prop_map(Step::CancelAgent),
        1 => of_task(Just(Call::Retry)),
        2 => issue().prop_map(Step::Rerun),
        1 => (two(), archived).prop_map(|(agent, archived)| Step::Archive(agent, archived)),
        2 => (two(), two()).prop_map(|(agent, runtime)| Step::Move(agent, runtime)),
        2 => (two(), capacity).prop_map(|(agent, capacity)| Step::Capacity(agent, capacity)),
        1 => (scope, most).prop_map(|(scope, most)| Step::Limit(scope, most)),
        1 => (issue(), status).prop_map(|(issue, status)| Step::IssueStatus(issue, status)),
    ]
}

fn of_time() -> impl Strategy<Value = Step> {
    let age = prop_oneof![Just(60), Just(200), Just(400), Just(20_000)];
    let silence = prop_oneof![Just(20), Just(3600)];
    prop_oneof![
        6 => Just(Step::Sweep),
        1 => (two(), silence).prop_map(|(runtime, secs)| Step::Silence(runtime, secs)),
        6 => of_task(age.prop_map(Call::Age)),
        1 => of_task(Just(Call::FailByHand)),
        1 => Just(Step::HandleFailed),
        1 => two().prop_map(Step::Reconcile),
    ]
}

/// A runtime is silent until a sweep finds it.
fn outage() -> impl Strategy<Value = Vec<Step>> {
    two().prop_map(|runtime| vec![Step::Silence(runtime, 3600), Step::Sweep])
}

/// A daemon prepares a task for long, and keeps its lease.
fn preparation() -> impl Strategy<Value = Vec<Step>> {
    (0..12usize).prop_map(|number| {
        let calls = [Call::Age(400), Call::ExtendLease(Token::Current)];
        calls.map(|call| Step::Task(Which::Fit(number), call)).to_vec()
    })
}

/// A daemon that is alive no longer names its tasks.
fn loss() -> impl Strategy<Value = Vec<Step>> {
    (two(), 0..12usize).prop_map(|(runtime, number)| {
        let empty = Step::Heartbeat(runtime, List::Empty, None);
        vec![empty, empty, Step::Task(Which::Fit(number), Call::Age(200)), Step::Sweep]
    })
}

/// Sequences of steps.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = |step: Step| vec![step];
    let part = prop_oneof![
        28 => of_daemons().prop_map(one),
        14 => of_users().prop_map(one),
        6 => of_time().prop_map(one),
        2 => outage(),
        1 => preparation(),
        1 => loss()
    ];
    proptest::collection::vec(part, 1..100).prop_map(|parts| parts.concat())
}
