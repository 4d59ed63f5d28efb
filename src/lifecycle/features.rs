//! The features that the tables of a database may have: what the server's migrations added or removed between the
//! generation that this version creates and the server's newest generation. Each test contains the name of its table,
//! because a renamed table is another table.

use pgrx::prelude::*;

use super::status_sets::KNOWN;
use crate::postgres::features::{Definition, Set, Test, present};
use Test::{
    All, Any, Column, Function, Index, Listed, NamedTrigger, Not, Nullable, OtherWord, Relation, Trigger, UniqueIndex,
    Word,
};

/// Declares the features. Each line has a description, the name for marks, in brackets the number of the server's
/// migration that added the feature and of the one that removed it, and the test.
macro_rules! features {
    ($($(#[doc = $doc:literal])* $feature:ident $name:literal $([$since:literal $(to $until:literal)?])?: $test:expr;)*) => {
        /// The features that the tables of a database may have.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Feature {
            $(
                $(#[doc = $doc])*
                $(#[doc = concat!("Added by migration ", $since, $(", removed by ", $until,)? ".")])?
                $feature,
            )*
        }

        impl Feature {
            /// Every feature, in the order of the variants.
            const EVERY: [Self; ALL.len()] = [$(Self::$feature),*];

            /// Returns the name that marks and users see.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$feature => $name,)*
                }
            }

            /// Returns what the tables have, as one or more sentences.
            pub fn description(self) -> String {
                let text = match self {
                    $(Self::$feature => concat!($($doc),*),)*
                };
                text.trim().replace('`', "")
            }
        }

        /// The definitions of all features, in the order of the variants.
        pub static ALL: [Definition; [$(Feature::$feature),*].len()] = [$(Definition { name: $name, test: $test },)*];
    };
}

const TASK: &str = "agent_task_queue";
const RUNTIME: &str = "agent_runtime";

const OWN: Test = NamedTrigger("issue", "multica_issue_number");
const WAITING: Test = All(&[Column(TASK, "wait_reason"), Word(TASK, "status", "waiting_local_directory")]);
const DEFERRED: Test = All(&[Column(TASK, "fire_at"), Word(TASK, "status", "deferred")]);
const OPEN_STATUS: Test = All(&[Relation("issue_status"), Not(&Listed("issue", "status"))]);

features! {
    /// `multica_install()` made the tables, so only this extension writes the lifecycle of their rows.
    Own "own": OWN;
    /// A task stores the time of its own heartbeat, `agent_task_queue.last_heartbeat_at`.
    TaskBeat "task_beat" [55 to 69]: Column(TASK, "last_heartbeat_at");
    /// An autopilot has a priority, which its tasks inherit.
    RunPriority "run_priority" [42 to 58]: Column("autopilot", "priority");
    /// A chat stores the runtime on which its session can be resumed, `chat_session.runtime_id`.
    ChatRuntime "chat_runtime" [60]: Column("chat_session", "runtime_id");
    /// A task stores a summary of what caused it, `trigger_summary`.
    Summary "summary" [61]: Column(TASK, "trigger_summary");
    /// A task can require a new session, `force_fresh_session`.
    Fresh "fresh" [66]: Column(TASK, "force_fresh_session");
    /// The server can keep heartbeats in Redis and write them to the table about once per minute. The first index of the
    /// test is as old. A database without this index is recognized by what later migrations added.
    RedisEra "redis_era" [67]: All(&[
        Not(&OWN),
        Any(&[
            Relation("idx_agent_task_queue_claim_candidates"),
            WAITING,
            Column(RUNTIME, "profile_id"),
            Column(TASK, "prepare_lease_expires_at"),
            DEFERRED,
            Nullable(TASK, "runtime_id"),
        ]),
    ]);
    /// When a task is deleted or moved to another runtime, triggers of the server count what the runtimes used, with
    /// the privileges of the role that the call acts as.
    Usage "usage" [77]: Trigger(TASK, "runtime_id");
    /// An issue can be assigned to a squad, which is a group of agents.
    Squad "squad" [85]:
        All(&[Relation("squad"), Column("squad", "archived_at"), Word("issue", "assignee_type", "squad")]);
    /// An autopilot can be assigned to a squad, `autopilot.assignee_type` and `autopilot_run.squad_id`.
    AutopilotSquad "autopilot_squad" [96]: All(&[
        Relation("squad"),
        Column("squad", "archived_at"),
        Column("autopilot", "assignee_type"),
        Column("autopilot_run", "squad_id"),
    ]);
    /// A task stores whether it belongs to the leader of a squad, `is_leader_task`.
    LeaderTask "leader_task" [90]: Column(TASK, "is_leader_task");
    /// A task refers to its squad, `squad_id`.
    TaskSquad "task_squad" [127]: Column(TASK, "squad_id");
    /// A claimed task can wait for a directory, status `waiting_local_directory` with `wait_reason`.
    Waiting "waiting" [109]: WAITING;
    /// A claimed task has a token with which its agent authenticates, table `task_token`.
    Token "token" [108]: Relation("task_token");
    /// A comment can have the system as its author, and can refer to a task.
    SystemComment "system_comment" [120]:
        All(&[Column("comment", "source_task_id"), Word("comment", "author_type", "system")]);
    /// A runtime can belong to a profile, and is unique per profile, `agent_runtime.profile_id`.
    Profile "profile" [120]: Column(RUNTIME, "profile_id");
    /// A daemon can register runtimes of profiles, which are rows of table `runtime_profile`.
    RuntimeProfile "runtime_profile" [120]: All(&[
        Column(RUNTIME, "profile_id"),
        Relation("runtime_profile"),
        UniqueIndex(RUNTIME, &["workspace_id", "daemon_id", "profile_id"]),
    ]);
    /// An index contains `agent_runtime.last_seen_at`, so every heartbeat that is written writes all indexes of the
    /// table.
    BeatIndex "beat_index" [115]: Index(RUNTIME, "last_seen_at");
    /// A dispatched task has a lease, during which its daemon prepares it, `prepare_lease_expires_at`.
    Lease "lease" [124]: Column(TASK, "prepare_lease_expires_at");
    /// A task can be queued at a later time, status `deferred` until `fire_at`.
    Deferred "deferred" [128]: DEFERRED;
    /// A task can replace another task that does not start, `escalation_for_task_id`.
    Escalation "escalation" [128]: Column(TASK, "escalation_for_task_id");
    /// An index finds these tasks by the task that they replace.
    EscalationIndex "escalation_index" [128]: Index(TASK, "escalation_for_task_id");
    /// A task stores settings for its runtime, which a trigger deletes at its end, `runtime_mcp_overlay`.
    Overlay "overlay" [128]: Column(TASK, "runtime_mcp_overlay");
    /// A task stores connected apps in the same way, `runtime_connected_apps`.
    ConnectedApps "connected_apps" [132]: Column(TASK, "runtime_connected_apps");
    /// A runtime can be private or public, `visibility`.
    Visibility "visibility" [83]: Column(RUNTIME, "visibility");
    /// A task stores the user who sent the message that it answers, `initiator_user_id`.
    Initiator "initiator" [117]: Column(TASK, "initiator_user_id");
    /// A task stores the user who caused the first task of its chain, `originator_user_id`.
    Originator "originator" [129]: Column(TASK, "originator_user_id");
    /// A task stores the user who is accountable for it, `accountable_user_id`.
    Accountable "accountable" [185]: Column(TASK, "accountable_user_id");
    /// A task refers to the task that it retries or reruns or that delegated it, `retry_of_task_id` and others.
    Provenance "provenance" [184]: Column(TASK, "retry_of_task_id");
    /// A workspace can refuse tasks for which no user is accountable, `attribution_fail_closed`.
    FailClosed "fail_closed" [188]: Column("workspace", "attribution_fail_closed");
    /// A runtime can have a name that its owner chose, `custom_name`.
    CustomName "custom_name" [145]: Column(RUNTIME, "custom_name");
    /// A task can answer several comments, `coalesced_comment_ids`.
    Coalesced "coalesced" [150]: Column(TASK, "coalesced_comment_ids");
    /// A task stores which comments its daemon has received, `delivered_comment_ids`.
    Delivered "delivered" [157]: Column(TASK, "delivered_comment_ids");
    /// A task of a chat refers to the task whose messages it answers, `chat_input_task_id`.
    ChatInput "chat_input" [158]: Column(TASK, "chat_input_task_id");
    /// An agent can belong to a runtime instead of a user, `agent.kind` and `system_key`.
    SystemAgents "system_agents" [163]: All(&[Column("agent", "kind"), Column("agent", "system_key")]);
    /// A task stores that the file of its session is lost, `session_rollout_missing`.
    Rollout "rollout" [224]: Column(TASK, "session_rollout_missing");
    /// A task stores the session that must not be resumed, `retired_session_id`.
    Retired "retired" [234]: Column(TASK, "retired_session_id");
    /// A task stores its branch, `branch_name`.
    Branch "branch" [308]: Column(TASK, "branch_name");
    /// A task stores a directory that is kept after its end, `durable_work_dir`.
    Durable "durable" [376]: Column(TASK, "durable_work_dir");
    /// A task of a channel stores the revision of its context, `channel_context_revision`.
    Channel "channel" [377]: Column(TASK, "channel_context_revision");
    /// A message of a chat can come from a channel, `chat_message.channel_ingested`.
    ChannelMessage "channel_message" [226]: Column("chat_message", "channel_ingested");
    /// An agent or an ended task can have no runtime, both columns `runtime_id` can be NULL.
    Unbound "unbound" [251]: All(&[Nullable("agent", "runtime_id"), Nullable(TASK, "runtime_id")]);
    /// A unique index, of any name, allows at most one pending task per pair of issue and agent. The
    /// predicate of the migrations 037 to 258 differs from the one since 257.
    Slot "slot" [37]: UniqueIndex(TASK, &["issue_id", "agent_id"]);
    /// The predicate of this index includes deferred tasks whose media are pending.
    SlotOfMedia "slot_of_media" [257]:
        Test::UniqueIndexWith(TASK, &["issue_id", "agent_id"], "channel_issue_media_pending");
    /// A function locks the rows that own a task, in the server's order, `lock_task_owner_rows`.
    Fence "fence" [284]: Function("lock_task_owner_rows", &[pg_sys::UUIDOID, pg_sys::UUIDOID, pg_sys::UUIDOID]);
    /// An issue can have a status that its workspace defines, with a category, table `issue_status`.
    OpenStatus "open_status" [337]: OPEN_STATUS;
    /// A function returns the category of such a status, `issue_effective_status`.
    EffectiveStatus "effective_status" [340]:
        All(&[OPEN_STATUS, Function("issue_effective_status", &[pg_sys::UUIDOID, pg_sys::TEXTOID])]);
    /// An issue counts its revisions, `revision`.
    Revision "revision" [351]: Column("issue", "revision");
    /// An issue stores the time of the last activity on it, `last_activity_at`.
    Activity "activity" [360]: Column("issue", "last_activity_at");
    /// A paused autopilot stores the reason, `pause_reason`.
    Pause "pause" [251]: Column("autopilot", "pause_reason");
    /// Runs use up a quota, `autopilot_run.quota_reservation_id` and table `autopilot_quota_reservation`.
    Quota "quota" [352]:
        All(&[Column("autopilot_run", "quota_reservation_id"), Relation("autopilot_quota_reservation")]);
    /// An index finds the tasks of a runtime by their status, such as `multica_task_runtime`, which `multica_install()`
    /// makes.
    RuntimeIndex "runtime_index": Test::WholeIndex(TASK, &["runtime_id", "status"]);
    /// Tables contain what heartbeats did not name, the progress of tasks, and when runtimes came back. `multica_install()`
    /// makes them.
    Signs "signs": All(&[
        Relation("multica_task_unnamed"),
        Relation("multica_task_progress"),
        Relation("multica_runtime_return"),
    ]);
    /// A table contains what the operator has changed of the retry policy, `multica_retry_policy`. `multica_install()`
    /// makes it.
    RetryPolicy "retry_policy": Relation("multica_retry_policy");
    /// A table contains limits of tasks in flight that claims obey, `multica_claim_limit`. `multica_install()` makes it.
    ClaimLimit "claim_limit": Relation("multica_claim_limit");
    /// A table contains which retries were taken over by the process of the failed task,
    /// `multica_task_incarnation.resumed_task_id`. `multica_install()` makes it.
    Resumption "resumption": All(&[
        Relation("multica_runtime_incarnation"),
        Column("multica_task_incarnation", "resumed_task_id"),
    ]);
    /// A CHECK allows a status of a task that the newest known server does not have, so this version cannot know the
    /// schema.
    UnknownStatus "unknown_status": OtherWord(TASK, "status", &KNOWN);
}

impl Feature {
    /// Returns the set of this one feature.
    const fn set(self) -> Set {
        Set::of(self as usize)
    }

    /// Whether the tables have the feature now. The caller must hold a lock on the table, or must be correct even if
    /// another session alters the table. A statement does not call this: the marks in its file name its features.
    pub fn is_present(self) -> bool {
        !present(self.set()).is_empty()
    }

    /// Returns the first of these features that the tables have now.
    pub fn first_of(asked: impl Iterator<Item = Self> + Clone) -> Option<Self> {
        let found = present(asked.clone().fold(Set::EMPTY, |set, feature| set.union(feature.set())));
        asked.into_iter().find(|feature| found.contains(feature.set()))
    }

    /// Returns all features that the tables have now, in the order of the variants.
    pub fn all_present() -> impl Iterator<Item = Self> {
        let found = present(Self::EVERY.iter().fold(Set::EMPTY, |set, feature| set.union(feature.set())));
        Self::EVERY.into_iter().filter(move |feature| found.contains(feature.set()))
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{ALL, Feature};
    use crate::postgres::features::{Set, named, reads};

    /// Returns the names of the features that are present.
    fn found() -> Vec<&'static str> {
        Feature::all_present().map(Feature::name).collect()
    }

    /// Fails unless a script adds and removes exactly these features.
    fn expect(script: &str, added: &[&str], removed: &[&str]) {
        let before = found();
        Spi::run(script).unwrap();
        let after = found();
        let new: Vec<_> = after.iter().copied().filter(|name| !before.contains(name)).collect();
        let lost: Vec<_> = before.into_iter().filter(|name| !after.contains(name)).collect();
        assert_eq!((&new[..], &lost[..]), (added, removed), "{script}");
    }

    fn install() {
        Spi::run("SELECT FROM multica_install()").unwrap();
    }

    #[pg_test]
    fn created_tables_have_features_of_the_lifecycle() {
        assert_eq!(found(), [] as [&str; 0]);
        install();
        let former = ["own", "task_beat", "run_priority"];
        let of_tasks =
            "summary fresh waiting lease deferred escalation escalation_index originator accountable provenance";
        let later = "custom_name coalesced chat_input rollout retired branch durable unbound slot pause";
        let made = ["runtime_index", "signs", "retry_policy", "claim_limit", "resumption"];
        let lifecycle = ["chat_runtime"].into_iter().chain(of_tasks.split(' ')).chain(later.split(' ')).chain(made);
        assert_eq!(found(), former.into_iter().chain(lifecycle).collect::<Vec<_>>());
        assert!(Feature::TaskBeat.is_present() && !Feature::Profile.is_present());
    }

    #[pg_test]
    fn names_are_those_of_their_features() {
        assert!(ALL.iter().enumerate().all(|(place, feature)| named(feature.name) == Some(Set::of(place))));
        assert_eq!(named("lease"), Some(Feature::Lease.set()));
        assert_eq!(named("leases"), None);
    }

    #[pg_test]
    fn each_column_is_noticed() {
        install();
        let task = "ALTER TABLE agent_task_queue";
        expect(&format!("{task} DROP COLUMN last_heartbeat_at"), &[], &["task_beat"]);
        expect("ALTER TABLE autopilot DROP COLUMN priority", &[], &["run_priority"]);
        expect("ALTER TABLE agent ADD COLUMN kind text", &[], &[]);
        expect("ALTER TABLE agent ADD COLUMN system_key text", &["system_agents"], &[]);
        expect(&format!("{task} RENAME COLUMN escalation_for_task_id TO x"), &[], &["escalation", "escalation_index"]);
        expect(&format!("{task} ADD COLUMN escalation_for_task_id uuid"), &["escalation"], &[]);
        expect("ALTER TABLE agent ALTER COLUMN runtime_id SET NOT NULL", &[], &["unbound"]);
        expect(&format!("{task} ALTER COLUMN runtime_id SET NOT NULL"), &[], &[]);
        expect("ALTER TABLE agent ALTER COLUMN runtime_id DROP NOT NULL", &[], &[]);
        expect(&format!("{task} ALTER COLUMN runtime_id DROP NOT NULL"), &["unbound"], &[]);
    }

    #[pg_test]
    fn words_of_checks_are_noticed() {
        install();
        let task = "ALTER TABLE agent_task_queue";
        let check = "DROP CONSTRAINT agent_task_queue_status_check, ADD CONSTRAINT agent_task_queue_status_check CHECK";
        let six = "'queued', 'dispatched', 'running', 'completed', 'failed', 'cancelled'";
        expect(&format!("{task} {check} (status IN ({six}))"), &[], &["waiting", "deferred"]);
        // A check of another column does not count, and neither does a check of two columns.
        expect(
            &format!(
                "{task} ADD CHECK (error IN ('deferred')), ADD CHECK (status <> 'deferred' OR fire_at IS NOT NULL)"
            ),
            &[],
            &[],
        );
        let waiting = format!("{six}, 'waiting_local_directory'");
        expect(&format!("{task} {check} (status IN ({waiting}))"), &["waiting"], &[]);
        // Another spelling of the check, which is not validated, has the same result.
        let any = format!("'{{{},deferred}}'::text[]", waiting.replace("'", "").replace(' ', ""));
        expect(&format!("{task} {check} (status = ANY ({any})) NOT VALID"), &["deferred"], &[]);
        let one_by_one = waiting.replace("'queued'", "'paused'").replace(", ", " OR status = ");
        expect(&format!("{task} {check} (status = {one_by_one})"), &["unknown_status"], &["deferred"]);
        // Without a check that lists words, the columns determine the features.
        let dropped = format!("{task} DROP CONSTRAINT agent_task_queue_status_check");
        expect(&dropped, &["deferred"], &["unknown_status"]);
    }

    #[pg_test]
    fn relations_and_functions_are_noticed() {
        install();
        expect(
            "CREATE TEMP TABLE issue_status (key text); ALTER TABLE issue DROP CONSTRAINT issue_status_check",
            &[],
            &[],
        );
        let schema = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'multica'";
        let schema = Spi::get_one::<String>(schema);
        let schema = schema.unwrap().unwrap();
        expect(&format!("CREATE TABLE {schema}.issue_status (key text)"), &["open_status"], &[]);
        let function = format!("{schema}.issue_effective_status");
        expect(&format!("CREATE FUNCTION {function}(uuid) RETURNS text RETURN 'todo'"), &[], &[]);
        let create = format!("CREATE FUNCTION {function}(uuid, text) RETURNS text RETURN 'todo'");
        expect(&create, &["effective_status"], &[]);
        expect(&format!("DROP FUNCTION {function}(uuid, text)"), &[], &["effective_status"]);
        expect(&create, &["effective_status"], &[]);
        expect(&format!("ALTER TABLE {schema}.issue_status RENAME TO x"), &[], &["open_status", "effective_status"]);
        expect(&format!("ALTER TABLE {schema}.x RENAME TO squad"), &[], &[]);
        expect(&format!("ALTER TABLE {schema}.squad ADD COLUMN archived_at timestamptz"), &[], &[]);
        expect(&format!("ALTER TABLE {schema}.issue DROP CONSTRAINT issue_assignee_type_check"), &["squad"], &[]);
    }

    #[pg_test]
    fn indexes_and_triggers_are_noticed() {
        install();
        let unique = "CREATE UNIQUE INDEX x ON agent_task_queue (issue_id, agent_id)";
        expect("DROP INDEX idx_one_pending_task_per_issue_agent", &[], &["slot"]);
        expect(
            &format!("{unique}; {} WHERE priority > 0", unique.replace("x ON", "y ON").replace("_id)", "_id, id)")),
            &[],
            &[],
        );
        expect(&format!("DROP INDEX x; {unique} WHERE status = 'queued'"), &["slot"], &[]);
        let media = "status = 'deferred' AND context->>'channel_issue_media_pending' = 'true'";
        expect(&format!("{} WHERE {media}", unique.replace("x ON", "z ON")), &["slot_of_media"], &[]);
        expect("CREATE INDEX i ON agent_runtime (status) WHERE last_seen_at IS NOT NULL", &[], &[]);
        expect("CREATE INDEX j ON agent_runtime (status, last_seen_at DESC)", &["beat_index"], &[]);
        expect("DROP INDEX j; CREATE INDEX j ON agent_runtime (status) INCLUDE (last_seen_at)", &[], &[]);
        expect("DROP INDEX j", &[], &["beat_index"]);
        let of_runtimes = "CREATE INDEX r ON agent_task_queue (runtime_id";
        expect("DROP INDEX multica_task_runtime", &[], &["runtime_index"]);
        expect(&format!("{of_runtimes}, status) WHERE priority > 0"), &[], &[]);
        expect(&format!("DROP INDEX r; {of_runtimes})"), &[], &[]);
        expect(&format!("DROP INDEX r; {of_runtimes}, status, id)"), &["runtime_index"], &[]);
        expect(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'r'::regclass; ALTER TABLE agent_task_queue SET (fillfactor = 71)",
            &[],
            &["runtime_index"],
        );
        expect("DROP TABLE multica_task_unnamed", &[], &["signs"]);
        let schema = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'multica'";
        let schema = Spi::get_one::<String>(schema).unwrap().unwrap();
        expect("ALTER TABLE agent_runtime ADD COLUMN profile_id uuid", &["profile"], &[]);
        let key = "CREATE UNIQUE INDEX k ON agent_runtime (workspace_id, daemon_id, profile_id)";
        expect(&format!("{key} WHERE profile_id IS NOT NULL; CREATE TEMP TABLE runtime_profile (id uuid)"), &[], &[]);
        expect(&format!("CREATE TABLE {schema}.runtime_profile (id uuid)"), &["runtime_profile"], &[]);
        expect("DROP INDEX k", &[], &["runtime_profile"]);
        let on = "ON agent_task_queue FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()";
        expect(&format!("CREATE TRIGGER a BEFORE UPDATE OF status {on}"), &[], &[]);
        expect(&format!("CREATE TRIGGER b BEFORE UPDATE OF issue_id, runtime_id {on}"), &["usage"], &[]);
        expect("DROP TRIGGER b ON agent_task_queue", &[], &["usage"]);
        expect("ALTER TRIGGER multica_issue_number ON issue RENAME TO x", &["redis_era"], &["own"]);
        expect("ALTER TRIGGER x ON issue RENAME TO multica_issue_number", &["own"], &["redis_era"]);
    }

    /// A reported change of one table causes one reading, of this table alone.
    #[pg_test]
    fn reported_table_alone_is_read() {
        install();
        found();
        let before = reads();
        Spi::run("CREATE TEMP TABLE t (); DROP TABLE t; ALTER TABLE comment SET (fillfactor = 90)").unwrap();
        assert!(Feature::TaskBeat.is_present());
        assert_eq!(reads(), before, "of the other tables, the feature depends on none");
        Spi::run("ALTER TABLE agent_task_queue SET (fillfactor = 90)").unwrap();
        assert!(Feature::TaskBeat.is_present() && Feature::Slot.is_present());
        assert_eq!(reads(), before + 1);
    }

    #[pg_test]
    fn features_follow_rollback() {
        install();
        let drop = "ALTER TABLE agent_task_queue DROP COLUMN last_heartbeat_at";
        let undone = format!("BEGIN {drop}; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END");
        Spi::run(&format!("DO $$ {undone} $$")).unwrap();
        assert!(Feature::TaskBeat.is_present());
    }
}
