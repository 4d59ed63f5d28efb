//! The words by which a client distinguishes errors with the same SQLSTATE. They are reported in the field that
//! Postgres has for the name of a constraint.
//!
//! The table in docs/errors.md is generated from this file, which therefore uses no other module of the crate. A
//! released word is never removed.

use std::ffi::CStr;

/// Declares the words: variant, text, SQLSTATE, when it is raised, what a client does then.
macro_rules! words {
    ($($variant:ident $text:literal $sqlstate:literal $when:literal $then:literal;)+) => {
        /// What an error means to a program.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word {
            $(#[doc = $when] $variant,)+
        }

        impl Word {
            /// All words, in the order of the page.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word as a client reads it.
            pub const fn text(self) -> &'static CStr {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Returns the SQLSTATE of the word, when it is raised, and what a client does then.
            #[allow(dead_code, reason = "the page is made of it")]
            pub const fn explained(self) -> [&'static str; 3] {
                match self {
                    $(Self::$variant => [$sqlstate, $when, $then],)+
                }
            }
        }
    };
}

words! {
    StaleClaim c"stale_claim" "55000"
        "the task was claimed again after the claim that returned this token"
        "stop working on the task";
    Final c"final" "55000"
        "the task or the autopilot run has already ended, or the run of a failed task cannot go on"
        "stop working on the task; create a new run";
    WrongState c"wrong_state" "55000"
        "the task is not in a state from which the call is allowed"
        "stop working on the task";
    Superseded c"superseded" "55000"
        "another process has registered the runtime since the process of the caller did"
        "stop the process, without registering again and without setting the runtime offline";
    NoTask c"no_task" "P0002"
        "the task does not exist"
        "stop working on the task";
    NoRuntime c"no_runtime" "P0002"
        "the runtime does not exist, or it is not in this workspace"
        "register again";
    NoWorkspace c"no_workspace" "P0002"
        "the workspace does not exist"
        "check what exists, then decide";
    NoAgent c"no_agent" "P0002"
        "the agent does not exist, or it is not in this workspace"
        "check what exists, then decide";
    NoIssue c"no_issue" "P0002"
        "the issue does not exist"
        "check what exists, then decide";
    NoComment c"no_comment" "P0002"
        "the comment does not exist, or it belongs to another issue or workspace"
        "check what exists, then decide";
    NoChatSession c"no_chat_session" "P0002"
        "the chat session does not exist"
        "check what exists, then decide";
    NoAutopilotRun c"no_autopilot_run" "P0002"
        "the autopilot run does not exist"
        "check what exists, then decide";
    NoRole c"no_role" "P0002"
        "the role does not exist"
        "check what exists, then decide";
    NoProfile c"no_profile" "P0002"
        "the profile of a runtime does not exist in this workspace"
        "leave the profile out";
    ProfileDisabled c"profile_disabled" "55000"
        "the profile of a runtime is disabled"
        "leave the profile out";
    NoProfiles c"no_profiles" "0A000"
        "the call names a profile, and this database has no profiles"
        "leave the profile out";
    RowsHidden c"rows_hidden" "55000"
        "row-level security hides rows that the call depends on"
        "call as a role that sees these rows";
    Archived c"archived" "55000"
        "the agent is archived"
        "restore the agent, or choose another agent";
    ChatArchived c"chat_archived" "55000"
        "the chat session is archived"
        "restore the chat session, or use another one";
    ChannelChat c"channel_chat" "55000"
        "the server receives the messages of the chat session from a channel"
        "let the server queue the task";
    Unbound c"unbound" "55000"
        "the agent is bound to no runtime"
        "bind the agent to a runtime, or choose another agent";
    NotExecutable c"not_executable" "55000"
        "the machine of the agent's runtime cannot execute the provider"
        "repair the machine; it can be used again once its daemon has registered";
    Unattributed c"unattributed" "55000"
        "the workspace requires a user who is accountable for the task, and the call names none"
        "name the user in provenance";
    NotAssigned c"not_assigned" "55000"
        "the issue is not assigned to an agent"
        "assign the issue to an agent, or name an agent";
    InUse c"in_use" "55006"
        "active agents are bound to the runtime, or a table of your own refers to what is to be deleted"
        "archive or move the agents; delete what the detail names, or make it refer to another row";
    TryAgain c"try_again" "55000"
        "another session changed a row at the same time"
        "repeat the call";
    EventsTrimmed c"events_trimmed" "55000"
        "events after the reader's position have been trimmed"
        "read the tables again, then continue from the id in the hint";
    LogRestarted c"log_restarted" "55000"
        "the event log has restarted since the reader's position"
        "read the tables again, then continue from the id in the hint";
    LogReplicated c"log_replicated" "55000"
        "a subscription writes into the event log"
        "record and read events on the publisher, or disable the subscription";
    OnStandby c"on_standby" "55000"
        "the call reads events on a standby"
        "read events on the primary";
    WrongIsolation c"wrong_isolation" "55000"
        "the call reads events at an isolation level above READ COMMITTED"
        "use a READ COMMITTED transaction";
    InstallNeeded c"install_needed" "55000"
        "the tables are missing or too old"
        "an administrator runs the statement in the hint";
    UpdateNeeded c"update_needed" "55000"
        "library and SQL objects have different versions"
        "an administrator follows the hint";
    SchemaRenamed c"schema_renamed" "55000"
        "the extension's schema was renamed"
        "an administrator runs the statements in the hint";
    SchemaOpen c"schema_open" "55000"
        "a role that is not trusted may create objects in the extension's schema, and the caller lacks a privilege on the tables"
        "an administrator runs the statement in the hint";
    TableConflict c"table_conflict" "55000"
        "a table, column, type, index or row is not what multica needs"
        "an administrator follows the hint";
    RowKeptOut c"row_kept_out" "55000"
        "a trigger rejects a row that the call writes, or keeps it unchanged"
        "an administrator checks the triggers of the table";
    UnknownSchema c"unknown_schema" "0A000"
        "this version does not understand the schema of the server"
        "an administrator installs another version, or installs multica in a schema of its own";
    UnsupportedFeature c"unsupported_feature" "0A000"
        "the call does not work yet on tables with a feature of a newer server, or the tables lack a feature that it needs"
        "let the server do it; do not repeat the call";
    MissingFeature c"missing_feature" "0A000"
        "an argument needs a feature that the tables do not have"
        "leave the argument out";
    WrongEncoding c"wrong_encoding" "0A000"
        "the encoding of the database is not UTF8"
        "an administrator moves the data to a database in UTF8";
}

impl Word {
    /// Returns the word for a row that does not exist, by the kind of the row.
    pub fn of_missing(what: &str) -> Option<Self> {
        let text = format!("no_{}", what.replace(' ', "_"));
        let mut all = Self::ALL.iter();
        all.find(|word| word.text().to_bytes() == text.as_bytes()).copied()
    }
}
