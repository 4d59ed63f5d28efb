//! The steps, and how they are drawn.

use proptest::prelude::*;

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

/// One step. Runtimes, agents, issues and chats are counted from 0. A task is the n-th so far, modulo their number.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// multica_enqueue_issue
    Issue(usize, i32),
    /// multica_enqueue_mention
    Mention(usize, usize),
    /// multica_enqueue_chat
    Chat(usize, i32),
    /// multica_enqueue
    WithoutSource(usize, i32),
    /// multica_claim
    Claim(usize, i32),
    /// multica_start
    Start(usize, Token),
    /// multica_pin_session
    Pin(usize, Token),
    /// multica_complete
    Complete(usize, Token),
    /// multica_fail, with a reason that allows a retry or one that does not
    Fail(usize, bool, Token),
    /// multica_cancel
    Cancel(usize),
    /// multica_cancel_issue_tasks
    CancelIssue(usize, Option<usize>),
    /// multica_cancel_agent_tasks
    CancelAgent(usize),
    /// multica_retry
    Retry(usize),
    /// multica_rerun
    Rerun(usize),
    /// multica_sweep
    Sweep,
    /// multica_recover_orphans, with one task as running
    Recover(usize, usize),
    /// multica_heartbeat, with every task as running
    Heartbeat(usize),
    /// multica_set_runtime_offline
    Offline(usize),
    /// multica_handle_failed_tasks, with every task
    HandleFailed,
    /// multica_reconcile_agent
    Reconcile(usize),
    /// The last heartbeat of a runtime was this many seconds ago.
    Silence(usize, i64),
    /// A task was claimed and started this many seconds ago.
    Age(usize, i64),
    /// An application archives an agent, or restores it.
    Archive(usize, bool),
    /// An application binds an agent to a runtime.
    Move(usize, usize),
    /// An application sets max_concurrent_tasks of an agent.
    Capacity(usize, i32),
    /// A user sets an issue's status.
    IssueStatus(usize, &'static str),
    /// An application fails a task in flight with its own SQL.
    FailByHand(usize),
}

/// Sequences of steps.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let task = || 0..12usize;
    let two = || 0..2usize;
    let issue = || 0..4usize;
    let attempts = || 1..4i32;
    let token = || {
        prop_oneof![
            3 => Just(Token::None),
            3 => Just(Token::Current),
            1 => Just(Token::Stale),
        ]
    };
    let status = prop_oneof![Just("in_progress"), Just("todo"), Just("done")];
    let of_daemons = prop_oneof![
        8 => (two(), 0..4i32).prop_map(|(runtime, most)| Step::Claim(runtime, most)),
        6 => (task(), token()).prop_map(|(task, token)| Step::Start(task, token)),
        2 => (task(), token()).prop_map(|(task, token)| Step::Pin(task, token)),
        3 => (task(), token()).prop_map(|(task, token)| Step::Complete(task, token)),
        3 => (task(), any::<bool>(), token()).prop_map(|(task, may_retry, token)| Step::Fail(task, may_retry, token)),
        1 => two().prop_map(Step::Heartbeat),
        1 => two().prop_map(Step::Offline),
        2 => (two(), task()).prop_map(|(runtime, task)| Step::Recover(runtime, task)),
    ];
    let of_users = prop_oneof![
        5 => (issue(), attempts()).prop_map(|(issue, most)| Step::Issue(issue, most)),
        3 => (issue(), two()).prop_map(|(issue, agent)| Step::Mention(issue, agent)),
        4 => (two(), attempts()).prop_map(|(chat, most)| Step::Chat(chat, most)),
        2 => (two(), attempts()).prop_map(|(agent, most)| Step::WithoutSource(agent, most)),
        2 => task().prop_map(Step::Cancel),
        1 => (issue(), proptest::option::of(two())).prop_map(|(issue, agent)| Step::CancelIssue(issue, agent)),
        1 => two().prop_map(Step::CancelAgent),
        2 => task().prop_map(Step::Retry),
        2 => issue().prop_map(Step::Rerun),
        1 => (two(), any::<bool>()).prop_map(|(agent, archived)| Step::Archive(agent, archived)),
        1 => (two(), two()).prop_map(|(agent, runtime)| Step::Move(agent, runtime)),
        1 => (two(), -1..4i32).prop_map(|(agent, capacity)| Step::Capacity(agent, capacity)),
        1 => (issue(), status).prop_map(|(issue, status)| Step::IssueStatus(issue, status)),
    ];
    let of_time = prop_oneof![
        4 => Just(Step::Sweep),
        2 => (two(), prop_oneof![Just(20), Just(3600)]).prop_map(|(runtime, secs)| Step::Silence(runtime, secs)),
        3 => (task(), prop_oneof![Just(200), Just(20000)]).prop_map(|(task, secs)| Step::Age(task, secs)),
        1 => task().prop_map(Step::FailByHand),
        1 => Just(Step::HandleFailed),
        1 => two().prop_map(Step::Reconcile),
    ];
    let step = prop_oneof![5 => of_daemons, 4 => of_users, 2 => of_time];
    proptest::collection::vec(step, 1..50)
}
