//! The word that a failure gets if its daemon gives none, found in the text of its error. A word that older daemons give
//! for several failures is replaced by that of the failure.

/// The word of a failure without a known cause, in tables of servers that do not classify failures.
pub const AGENT_ERROR: &str = "agent_error";
/// The word of a failure without a known cause.
const UNKNOWN: &str = "agent_error.unknown";
/// The context of the agent's session is used up. The session must not be resumed.
pub const CONTEXT_OVERFLOW: &str = "agent_error.context_overflow";
const NETWORK: &str = "agent_error.provider_network";
const AGENT_TIMEOUT: &str = "agent_error.agent_timeout";
const PROCESS_FAILURE: &str = "agent_error.process_failure";

/// How many bytes an output has at most that is nothing but a message. A longer one is a result, even if it quotes it.
pub const MOST_OF_MESSAGE: usize = 320;

/// What an error contains, in lower case.
enum Sign {
    /// One of these texts.
    Any(&'static [&'static str]),
    /// All of these texts.
    All(&'static [&'static str]),
    /// One of these numbers of three digits, without a digit beside it.
    Number(&'static [u16]),
    /// A number from 500 to 599, without a digit beside it.
    ServerStatus,
}

use Sign::{All, Any, Number, ServerStatus};

/// The words with the signs by which an error is recognized. The first sign that is found decides.
static SIGNS: [(&str, &[Sign]); 13] = [
    (
        CONTEXT_OVERFLOW,
        &[
            Any(&[
                "context length",
                "context_length_exceeded",
                "maximum context",
                "prompt is too long",
                "context size has been exceeded",
            ]),
            Any(&EXHAUSTED_WINDOW),
            All(&["token", "limit"]),
        ],
    ),
    (
        "agent_error.missing_config",
        &[
            Any(&["missing environment variable", "no llm provider configured", "no provider configured"]),
            All(&["missing", "api_key"]),
            All(&["api key", "required"]),
        ],
    ),
    (
        "agent_error.provider_auth_or_access",
        &[
            Number(&[401, 403]),
            Any(&[
                "unauthorized",
                "login required",
                "not logged in",
                "please login again",
                "refresh token",
                "invalid api key",
                "access token",
                "subscription access",
                "does not have access",
                "you may not have access",
            ]),
        ],
    ),
    (
        "agent_error.provider_quota_limit",
        &[
            Number(&[402]),
            Any(&[
                "insufficient_balance",
                "balance is too low",
                "usage limit",
                "you've hit your limit",
                "credits",
                "quota",
            ]),
        ],
    ),
    (
        "agent_error.provider_capacity_or_rate_limit",
        &[Number(&[429, 529]), Any(&["rate limit", "overloaded", "no capacity available"])],
    ),
    (
        "agent_error.provider_server_error",
        &[
            Any(&[
                "server had an error",
                "provider returned error",
                "internal error",
                "service unavailable",
                "bad gateway",
            ]),
            ServerStatus,
        ],
    ),
    (
        NETWORK,
        &[Any(&[
            "stream disconnected",
            STREAM_ENDED,
            "connection closed",
            "mid-response",
            "error sending request",
            "unable to connect",
            "dial tcp",
            "connection refused",
            "connectionrefused",
            "dns",
            "i/o timeout",
            "deadline exceeded",
            "timeout exceeded while awaiting",
        ])],
    ),
    (
        "agent_error.model_not_found_or_unavailable",
        &[All(&["model", "not found"]), Any(&["unknown model", "selected model", "http 404", "404 page not found"])],
    ),
    ("agent_error.empty_or_unparseable_output", &[Any(&["returned empty output", "returned no parseable output"])]),
    (AGENT_TIMEOUT, &[Any(&["timed out after"])]),
    ("agent_error.runtime_missing_executable", &[Any(&["executable not found", "exec format error"])]),
    (
        "agent_error.runtime_version_unsupported",
        &[Any(&["below the minimum supported version", "requires a newer version"])],
    ),
    (
        PROCESS_FAILURE,
        &[Any(&[
            "exit status",
            "signal",
            "panic",
            "sigsegv",
            "process exited",
            "start codex:",
            "pipe has been ended",
            "file already closed",
            "initialize failed",
        ])],
    ),
];

/// The messages of providers whose window of context is used up, which nothing else contains.
static EXHAUSTED_WINDOW: [&str; 3] = ["context window limit", "model_context_window_exceeded", "prompt_too_long"];

/// The beginning of the message of an agent whose stream was interrupted.
const STREAM_ENDED: &str = "opencode stream ended";

impl Sign {
    fn is_in(&self, error: &str) -> bool {
        match self {
            Any(texts) => texts.iter().any(|text| error.contains(text)),
            All(texts) => texts.iter().all(|text| error.contains(text)),
            Number(numbers) => has_number(error, |number| numbers.contains(&number)),
            ServerStatus => has_number(error, |number| (500..600).contains(&number)),
        }
    }
}

/// Whether a text has such a number of three digits without a digit beside it.
fn has_number(text: &str, is_wanted: impl Fn(u16) -> bool) -> bool {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 3);
    numbers.filter_map(|digits| digits.parse().ok()).any(is_wanted)
}

/// Returns the `failure_reason` of a failure with this `error`: the one that the daemon gives, unless it is empty, or one
/// that stands for several failures and the error shows which of them it is.
pub fn classify(error: &str, given: &str) -> String {
    let error = error.to_lowercase();
    let reason = if given.is_empty() { found(&error) } else { given };
    replaced(error.trim_start(), reason).to_string()
}

fn found(error: &str) -> &'static str {
    let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| sign.is_in(error)));
    found.map_or(UNKNOWN, |(word, _)| word)
}

fn replaced<'a>(error: &str, reason: &'a str) -> &'a str {
    let is_general = matches!(reason, AGENT_ERROR | UNKNOWN);
    if error.starts_with("resolve skill bundles:") && (is_general || reason == NETWORK) {
        return "skill_bundle_unavailable";
    }
    if is_general && Any(&EXHAUSTED_WINDOW).is_in(error) {
        return CONTEXT_OVERFLOW;
    }
    if error.starts_with(STREAM_ENDED) && (is_general || reason == PROCESS_FAILURE) {
        return NETWORK;
    }
    let has_timed_out = Any(&["timed out", "timeout"]).is_in(error);
    if error.contains("openclaw") && has_timed_out && (is_general || reason == AGENT_TIMEOUT) {
        return "runtime_cli_timeout";
    }
    reason
}

/// Whether the output of a completed run is nothing but the message that the context is used up.
pub fn is_exhaustion(output: &str) -> bool {
    if output.len() > MOST_OF_MESSAGE {
        return false;
    }
    let output = output.to_lowercase();
    [
        ["prompt is too long", "cannot be compacted"],
        ["conversation too long", "press esc twice"],
        ["compaction failed", "reduced below the context limit"],
    ]
    .iter()
    .any(|parts| parts.iter().all(|part| output.contains(part)))
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{classify, is_exhaustion};

    #[pg_test]
    fn error_without_reason_is_classified_by_its_first_sign() {
        for (error, reason) in [
            ("Prompt is too long: 429", "agent_error.context_overflow"),
            ("the token count is over the limit", "agent_error.context_overflow"),
            ("MISSING environment variable X", "agent_error.missing_config"),
            ("ANTHROPIC_API_KEY is missing", "agent_error.missing_config"),
            ("an API key is required", "agent_error.missing_config"),
            ("HTTP 401", "agent_error.provider_auth_or_access"),
            ("Not logged in", "agent_error.provider_auth_or_access"),
            ("status:402.", "agent_error.provider_quota_limit"),
            ("You've hit your limit", "agent_error.provider_quota_limit"),
            ("error 529 from the provider", "agent_error.provider_capacity_or_rate_limit"),
            ("error 503", "agent_error.provider_server_error"),
            ("bad gateway", "agent_error.provider_server_error"),
            ("dial tcp: i/o timeout", "agent_error.provider_network"),
            ("Unknown model x", "agent_error.model_not_found_or_unavailable"),
            ("claude returned empty output", "agent_error.empty_or_unparseable_output"),
            ("timed out after 30s", "agent_error.agent_timeout"),
            ("claude: executable not found", "agent_error.runtime_missing_executable"),
            ("codex requires a newer version", "agent_error.runtime_version_unsupported"),
            ("exit status 1", "agent_error.process_failure"),
            ("", "agent_error.unknown"),
            ("it is broken", "agent_error.unknown"),
            // A number counts only without a digit beside it.
            ("request 14012, 5031", "agent_error.unknown"),
            ("resolve skill bundles: dial tcp", "skill_bundle_unavailable"),
            ("OpenClaw timed out after 30s", "runtime_cli_timeout"),
        ] {
            assert_eq!(classify(error, ""), reason, "{error}");
        }
    }

    #[pg_test]
    fn given_reason_is_replaced_only_if_it_stands_for_several_failures() {
        for (error, given, reason) in [
            ("dial tcp: i/o timeout", "agent_error", "agent_error"),
            ("Resolve skill bundles: no route", "agent_error", "skill_bundle_unavailable"),
            ("resolve skill bundles: no route", "agent_error.provider_network", "skill_bundle_unavailable"),
            ("cannot resolve skill bundles: no route", "agent_error", "agent_error"),
            ("resolve skill bundles: no route", "timeout", "timeout"),
            ("prompt_too_long", "agent_error.unknown", "agent_error.context_overflow"),
            ("prompt is too long", "agent_error", "agent_error"),
            ("prompt_too_long", "iteration_limit", "iteration_limit"),
            ("opencode stream ended", "agent_error.process_failure", "agent_error.provider_network"),
            ("openclaw: timeout", "agent_error", "runtime_cli_timeout"),
            ("openclaw: timeout", "timeout", "timeout"),
            ("anything", "a reason of its own", "a reason of its own"),
        ] {
            assert_eq!(classify(error, given), reason, "{error}, {given}");
        }
    }

    #[pg_test]
    fn only_short_outputs_read_as_exhausted_context() {
        assert!(is_exhaustion("Prompt is too long and cannot be compacted."));
        assert!(is_exhaustion("Conversation too long. Press Esc twice to go back."));
        assert!(is_exhaustion("compaction failed: not reduced below the context limit"));
        assert!(!is_exhaustion("Prompt is too long."));
        assert!(!is_exhaustion(&format!("Prompt is too long and cannot be compacted.{}", " ".repeat(300))));
    }
}
