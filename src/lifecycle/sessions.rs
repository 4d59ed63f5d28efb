//! Where an agent resumes: the session and the working directory of earlier work. One statement contains the rule, for
//! claims and for lookups. It leaves out sessions that are unsafe to resume, that a task has retired, or that have become
//! too long.

use std::collections::HashMap;

use pgrx::Uuid;

use super::retry_policy;
use crate::postgres::composite::{Composite, Kind};
use crate::postgres::statement::{Arg, Row, Statement, arg};

static PRIOR: Statement = Statement::stable(sql!("lifecycle/sessions/prior.sql")).in_index_order().by_id();
static OF_TASK: Statement = Statement::volatile(sql!("lifecycle/sessions/of_task.sql")).by_id();

/// Parts of the patterns, as literals for `concat!`.
macro_rules! part {
    (empty_content) => {
        "(?:(?:must|should) not be empty|must (?:be|have) nonempty|non-empty content|cannot be empty)"
    };
    (place_in_history) => {
        "(?:role[^[:alnum:]]{0,8}assistant|assistant message|message at position|messages[.[][0-9])"
    };
    (unsafe_error) => {
        concat!(
            "400.*invalid_request_error|invalid_request_error.*400|could not resolve authentication method|",
            part!(empty_content),
            ".*",
            part!(place_in_history),
            "|",
            part!(place_in_history),
            ".*",
            part!(empty_content)
        )
    };
}

/// The pattern of errors after which a session must not be resumed, whatever the `failure_reason` is: resuming it would
/// only repeat the error. It is matched without regard to case (`~*`). A chat that points to such a session forgets it.
pub const UNSAFE_ERROR: &str = part!(unsafe_error);

/// As [`UNSAFE_ERROR`], for the search for a session that can be resumed. It also finds images that the API refuses.
pub const UNSAFE_ERROR_OF_SOURCE: &str =
    concat!(part!(unsafe_error), "|image dimensions exceed max allowed size|image[.]source[.]base64[.]data");

/// The pattern of errors that say that the sessions of an issue or chat have become too long. It names no session: all
/// sessions that ended before are left out. It is matched without regard to case (`~*`).
pub const OVERFLOW_ERROR: &str = "thread/resume failed.*token too long|token too long.*thread/resume failed";

/// Where an agent resumes.
#[derive(Default)]
pub struct Prior {
    /// The session, if it was on the runtime.
    pub session: Option<String>,
    /// The working directory.
    pub work_dir: Option<String>,
}

/// Returns where tasks resume that are about to be claimed, by task. Tasks without earlier work are left out.
pub fn prior(tasks: Vec<Uuid>) -> HashMap<Uuid, Prior> {
    let read = |row: &Row| {
        let prior = Prior { session: row.column("session_id"), work_dir: row.column("work_dir") };
        (row.required("task_id"), prior)
    };
    PRIOR.latest().rows(&args(tasks, None, None), read).into_iter().collect()
}

/// Returns where the agent, the second id, can resume the issue, the first id, on its runtime; no row if it has no
/// earlier work there.
pub fn of_issue<K: Kind>(issue: Uuid, agent: Uuid) -> Vec<Composite<K>> {
    PRIOR.rows(&args(Vec::new(), Some((issue, agent)), None), Composite::from_row)
}

/// Returns where the agent of a chat can resume it on its runtime; no row if no turn had a session.
pub fn of_chat<K: Kind>(chat: Uuid) -> Vec<Composite<K>> {
    PRIOR.rows(&args(Vec::new(), None, Some(chat)), Composite::from_row)
}

/// Returns where a task stopped, as far as its agent can resume there.
pub fn of_task(task: Uuid) -> Prior {
    let args: Vec<Arg> = [arg(task)].into_iter().chain(what_is_unsafe()).collect();
    OF_TASK.row(&args, |row| Prior { session: row.get(1), work_dir: row.get(2) }).unwrap_or_default()
}

fn args(tasks: Vec<Uuid>, pair: Option<(Uuid, Uuid)>, chat: Option<Uuid>) -> Vec<Arg> {
    let asked = [arg(tasks), arg(pair.map(|(issue, _)| issue)), arg(pair.map(|(_, agent)| agent)), arg(chat)];
    asked.into_iter().chain(what_is_unsafe()).collect()
}

fn what_is_unsafe() -> [Arg; 4] {
    let (reasons, or_all_others) = retry_policy::unsafe_to_resume();
    [arg(reasons), arg(or_all_others), arg(UNSAFE_ERROR_OF_SOURCE), arg(OVERFLOW_ERROR)]
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{OVERFLOW_ERROR, UNSAFE_ERROR, UNSAFE_ERROR_OF_SOURCE};

    fn matches(error: &str, pattern: &str) -> bool {
        Spi::get_one_with_args("SELECT $1 ~* $2", &[error.into(), pattern.into()]).unwrap().unwrap()
    }

    #[pg_test]
    fn errors_that_make_a_session_unsafe_are_recognized() {
        for (error, is_unsafe) in [
            ("API Error: 400\n{\"type\":\"Invalid_Request_Error\"}", true),
            ("invalid_request_error (status 400)", true),
            ("invalid_request_error", false),
            ("Could not resolve authentication method", true),
            ("messages.3: content must not be empty", true),
            ("text content blocks must have nonempty text, message at position 7", true),
            ("cannot be empty: role: \"assistant\"", true),
            ("messages[12] should not be empty", true),
            ("the title must not be empty", false),
            ("an assistant message was lost", false),
            ("exit status 1", false),
        ] {
            assert_eq!(matches(error, UNSAFE_ERROR), is_unsafe, "{error}");
            assert_eq!(matches(error, UNSAFE_ERROR_OF_SOURCE), is_unsafe, "{error}");
        }
        for image in
            ["image dimensions exceed max allowed size: 8000", "messages.1.image.source.base64.data: too large"]
        {
            assert!(!matches(image, UNSAFE_ERROR) && matches(image, UNSAFE_ERROR_OF_SOURCE), "{image}");
        }
    }

    #[pg_test]
    fn errors_about_long_sessions_are_recognized() {
        for (error, is_overflow) in [
            ("Thread/resume failed:\nToken too long", true),
            ("token too long after thread/resume failed", true),
            ("token too long", false),
            ("thread/resume failed", false),
        ] {
            assert_eq!(matches(error, OVERFLOW_ERROR), is_overflow, "{error}");
        }
    }
}
