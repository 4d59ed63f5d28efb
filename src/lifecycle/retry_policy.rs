//! The retry policy: what follows when a task fails for a reason. The built-in policy is constant. The table
//! `multica_retry_policy` contains what the operator has changed of it, and the statements read both.

use std::collections::BTreeMap;

use super::features::Feature;
use crate::postgres::relation;
use crate::postgres::statement::{Arg, Statement, arg};

static UNSAFE_TO_RESUME: Statement =
    Statement::stable(sql!("lifecycle/retry_policy/unsafe_to_resume.sql")).of_whole_tables();

/// Stands for every reason that has no rule of its own.
const ANY_OTHER: &str = "*";

/// What follows when a task fails for a reason.
struct Rule {
    /// The `failure_reason`.
    reason: &'static str,
    /// Whether the task is retried.
    is_retried: bool,
    /// Attempts in all, the first one included; 0 for the task's own `max_attempts`. A task whose `max_attempts` is 1
    /// is never retried.
    max_attempts: i32,
    /// Seconds until the retry is due.
    delay_secs: f64,
    /// The first attempt whose failure is followed by this delay. The retry of an earlier one is queued at once.
    delay_from_attempt: i32,
    /// By what the delay is multiplied after each further attempt.
    backoff_factor: f64,
    /// The part of the delay that is added at random, at most.
    jitter: f64,
    /// Whether the retry resumes the session and the working directory.
    keeps_session: bool,
    /// Whether the retry is due only when its runtime is online.
    waits_for_runtime: bool,
    /// Whether no later task may resume the session.
    unsafe_to_resume: bool,
}

impl Rule {
    /// A reason of which nothing is retried.
    const fn of(reason: &'static str) -> Self {
        Self {
            reason,
            is_retried: false,
            max_attempts: 0,
            delay_secs: 0.0,
            delay_from_attempt: 1,
            backoff_factor: 1.0,
            jitter: 0.0,
            keeps_session: true,
            waits_for_runtime: false,
            unsafe_to_resume: false,
        }
    }

    /// A reason after which the task is retried at once.
    const fn retried(reason: &'static str) -> Self {
        Self { is_retried: true, ..Self::of(reason) }
    }

    /// A reason after which the task is not retried, and its session is not resumed.
    const fn unsafe_to_resume(reason: &'static str) -> Self {
        Self { unsafe_to_resume: true, ..Self::of(reason) }
    }
}

/// The built-in policy.
static BUILT_IN: [Rule; 13] = [
    Rule { waits_for_runtime: true, ..Rule::retried("runtime_offline") },
    Rule::retried("runtime_recovery"),
    Rule::retried("timeout"),
    Rule::retried("idle_timeout"),
    Rule::retried("skill_bundle_unavailable"),
    Rule { max_attempts: 3, delay_secs: 5.0, delay_from_attempt: 2, ..Rule::retried("agent_error.provider_network") },
    Rule { keeps_session: false, unsafe_to_resume: true, ..Rule::retried("codex_semantic_inactivity") },
    Rule::unsafe_to_resume("iteration_limit"),
    Rule::unsafe_to_resume("agent_fallback_message"),
    Rule::unsafe_to_resume("api_invalid_request"),
    Rule::unsafe_to_resume("agent_error.context_overflow"),
    Rule::unsafe_to_resume("codex_resume_oversized"),
    Rule::of(ANY_OTHER),
];

fn column<T>(of: impl Fn(&Rule) -> T) -> Vec<T> {
    BUILT_IN.iter().map(of).collect()
}

/// Returns the attributes of the built-in policy that decide about a retry, one array per attribute: reason,
/// is_retried, max_attempts, delay_secs, delay_from_attempt, backoff_factor, jitter, keeps_session, waits_for_runtime.
pub fn of_retries() -> [Arg; 9] {
    [
        arg(column(|rule| rule.reason)),
        arg(column(|rule| rule.is_retried)),
        arg(column(|rule| rule.max_attempts)),
        arg(column(|rule| rule.delay_secs)),
        arg(column(|rule| rule.delay_from_attempt)),
        arg(column(|rule| rule.backoff_factor)),
        arg(column(|rule| rule.jitter)),
        arg(column(|rule| rule.keeps_session)),
        arg(column(|rule| rule.waits_for_runtime)),
    ]
}

/// Returns all attributes: those of [`of_retries`], then unsafe_to_resume.
pub fn whole() -> impl Iterator<Item = Arg> {
    of_retries().into_iter().chain([arg(column(|rule| rule.unsafe_to_resume))])
}

/// Returns the attributes that decide about a session, in the same form: reason, unsafe_to_resume.
pub fn of_sessions() -> [Arg; 2] {
    [arg(column(|rule| rule.reason)), arg(column(|rule| rule.unsafe_to_resume))]
}

/// Returns the reasons after which no later task may resume the session, as the policy in force says; if the second
/// value is true, these reasons and no others are safe. The table is not read while it is empty.
pub fn unsafe_to_resume() -> (Vec<String>, bool) {
    let mut rules: BTreeMap<String, bool> =
        BUILT_IN.iter().map(|rule| (rule.reason.to_string(), rule.unsafe_to_resume)).collect();
    if Feature::RetryPolicy.is_present() && !relation::is_empty(c"multica_retry_policy") {
        rules.extend(UNSAFE_TO_RESUME.rows(&[], |row| (row.must::<String>(1), row.must::<bool>(2))));
    }
    let of_others = rules.remove(ANY_OTHER).unwrap_or_default();
    let differing = rules.into_iter().filter(|(_, is_unsafe)| *is_unsafe != of_others).map(|(reason, _)| reason);
    (differing.collect(), of_others)
}
