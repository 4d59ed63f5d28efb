//! Capabilities: the functions of each capability, and the hints for a caller who lacks it.

/// The capabilities that a role can be granted.
pub const CAPABILITIES: [&str; 3] = ["reader", "daemon", "operator"];

const READER: &[&str] = &[
    "multica_list_runtimes",
    "multica_list_runtimes_by_owner",
    "multica_get_runtime",
    "multica_get_runtime_for_workspace",
    "multica_find_legacy_runtimes",
    "multica_count_active_agents",
    "multica_get_task",
    "multica_list_pending_tasks",
    "multica_list_issue_tasks",
    "multica_list_agent_tasks",
    "multica_has_active_task",
    "multica_has_pending_task",
    "multica_count_running_tasks",
    "multica_last_task_session",
    "multica_last_chat_session",
    "multica_events",
    "multica_take_events",
    "multica_forget_reader",
    "multica_list_readers",
    "multica_retry_policy_in_force",
    "multica_status",
    "multica_metrics",
    "multica_version",
];

const DAEMON: &[&str] = &[
    "multica_register",
    "multica_upsert_runtime",
    "multica_heartbeat",
    "multica_heartbeat_many",
    "multica_set_runtime_offline",
    "multica_deregister",
    "multica_recover_orphans",
    "multica_claim",
    "multica_claim_many",
    "multica_start",
    "multica_wait",
    "multica_extend_lease",
    "multica_requeue",
    "multica_resume",
    "multica_pin_session",
    "multica_progress",
    "multica_complete",
    "multica_complete_raw",
    "multica_fail",
    "multica_fail_raw",
    "multica_clean",
    "multica_classify_failure",
    "multica_get_runtime",
    "multica_get_runtime_for_workspace",
    "multica_get_task",
    "multica_list_pending_tasks",
    "multica_last_task_session",
    "multica_last_chat_session",
    "multica_version",
];

/// Returns the functions of a capability; None means every function of the extension.
pub fn functions(capability: &str) -> Option<&'static [&'static str]> {
    match capability {
        "reader" => Some(READER),
        "daemon" => Some(DAEMON),
        _ => None,
    }
}

/// Returns the capabilities of which each is enough for a function; `operator` only if no other capability is enough.
fn enough_for(function: &str) -> Vec<&'static str> {
    let named = |capability: &&str| functions(capability).is_some_and(|all| all.contains(&function));
    let found: Vec<&str> = CAPABILITIES.into_iter().filter(named).collect();
    if found.is_empty() { vec!["operator"] } else { found }
}

/// Returns the hint for the caller of a function who lacks a privilege on a table.
pub fn hint(function: &str) -> String {
    let capabilities = enough_for(function);
    format!(
        "{function} needs the capability {}, which the owner of the extension or a superuser can grant: \
         SELECT multica_grant('the_role', '{}');",
        capabilities.join(" or "),
        capabilities[0]
    )
}

/// The hint if a statement runs as the owner of the tables, because no capability includes everything that an owner may
/// do.
pub const HINT_FOR_OWNER: &str = "The statement runs as the owner of the tables. The owner has lost a privilege on them; grant it again: \
    GRANT ALL ON ALL TABLES IN SCHEMA the_schema TO the_owner; \
    GRANT ALL ON ALL SEQUENCES IN SCHEMA the_schema TO the_owner;";
