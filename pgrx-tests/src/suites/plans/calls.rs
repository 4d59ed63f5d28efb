//! A call of every function, and the statements that the calls run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Result, ensure};
use postgres::Client;

use crate::context::Context;
use crate::project::Project;
use crate::query::is_statement_of;
use crate::suites::grant::support::{CAPABILITIES, routines, story};
use crate::suites::support::OF_ADMINISTRATORS;

/// Folders of `sql/` whose statements run on existing tables.
const STATEMENTS: [&str; 6] = ["event", "lifecycle", "runtime", "status", "sweep", "task"];

/// Runs only if there is no event log.
const WITHOUT_THE_LOG: &str = "lifecycle/event/make_state_row.sql";

/// Run only if another session holds or changes rows at the same moment.
const BESIDE_OTHERS: [&str; 2] = ["lifecycle/lock_set/try_runtimes.sql", "lifecycle/lock_set/issues_for_update.sql"];

/// A task is queued on a runtime that the sweep finds stale and that its agent has left, the oldest event is due for
/// trimming, and a task and a runtime of former processes are gone.
const FOR_THE_SWEEP: &str = "INSERT INTO agent_task_queue (agent_id, runtime_id, context)
    SELECT md5('agent1')::uuid, r.id, '{}' FROM agent_runtime AS r WHERE r.id = md5('runtime2')::uuid;
    UPDATE multica_event_log SET created_at = '-infinity' WHERE id = (SELECT min(id) FROM multica_event_log);
    INSERT INTO multica_task_incarnation VALUES (md5('gone')::uuid, md5('process')::uuid, now());
    INSERT INTO multica_runtime_incarnation VALUES (md5('gone')::uuid, md5('process')::uuid, now());
    INSERT INTO multica_task_unnamed VALUES (md5('gone')::uuid, md5('gone')::uuid, now(), now());
    INSERT INTO multica_task_progress VALUES (md5('gone')::uuid, now());
    INSERT INTO multica_runtime_return VALUES (md5('gone')::uuid, now())";

/// Scripts that together call every function of the catalogue, except those of an administrator. All but the last ones
/// are rolled back.
pub fn all(context: &Context, client: &mut Client) -> Result<Vec<String>> {
    // A database session reads the end of the event log before its first event, and again if the sequence has moved
    // back.
    let on_an_empty_log = |state: &str| {
        format!(
            "BEGIN; TRUNCATE multica_event_log, multica_event_reader, audit RESTART IDENTITY; {state}; {RECORD}; ROLLBACK"
        )
    };
    let mut calls = vec![on_an_empty_log(
        "UPDATE multica_sweep_state SET events_home = NULL, events_trimmed_to = 0, events_lost = '{}'",
    )];
    for capability in CAPABILITIES {
        calls.push(format!("BEGIN; {} ROLLBACK", story(context, capability)?));
    }
    // The fixture has an event that cannot be deleted at first.
    calls.push(
        "BEGIN; SELECT FROM multica_sweep(); TRUNCATE audit; UPDATE multica_sweep_state SET refused_until = '-infinity';
         SELECT FROM multica_sweep(); ROLLBACK"
            .into(),
    );
    // A daemon without legacy ids registers.
    calls.push(
        r#"BEGIN; SELECT FROM multica_register(
               (SELECT workspace_id FROM agent_runtime WHERE id = md5('runtime2')::uuid),
               jsonb_build_object(
                   'daemon_id', (SELECT daemon_id FROM agent_runtime WHERE id = md5('runtime2')::uuid),
                   'runtimes', '[{"type": "claude"}]'::jsonb)
           ); ROLLBACK"#
            .into(),
    );
    // Tables of a later server have profiles, and an index of the last heartbeat.
    calls.push(
        r#"BEGIN; ALTER TABLE agent_runtime ADD COLUMN profile_id uuid;
         CREATE UNIQUE INDEX ON agent_runtime (workspace_id, daemon_id, profile_id) WHERE profile_id IS NOT NULL;
         CREATE INDEX ON agent_runtime (last_seen_at);
         ALTER TABLE agent_runtime DROP CONSTRAINT agent_runtime_workspace_id_daemon_id_provider_key;
         CREATE UNIQUE INDEX ON agent_runtime (workspace_id, daemon_id, provider) WHERE profile_id IS NULL;
         CREATE TABLE runtime_profile (
             id uuid PRIMARY KEY, workspace_id uuid, display_name text, protocol_family text, enabled boolean);
         INSERT INTO runtime_profile SELECT w.id, w.id, 'fast', 'claude', true FROM workspace AS w;
         SELECT FROM multica_register(
             (SELECT workspace_id FROM agent_runtime WHERE id = md5('runtime2')::uuid),
             jsonb_build_object('daemon_id', 'd', 'runtimes', jsonb_build_array(jsonb_build_object(
                 'profile_id', (SELECT workspace_id FROM agent_runtime WHERE id = md5('runtime2')::uuid))))
         );
         SELECT multica_heartbeat_many(ARRAY[md5('runtime2')::uuid]);
         SELECT FROM multica_heartbeat(md5('runtime2')::uuid, incarnation => md5('runtime2')::uuid); ROLLBACK"#
            .into(),
    );
    // The table of runtimes has a column of the server: a runtime of a profile is not merged. A chat session moves with
    // its runtime, and what is recorded about its process.
    calls.push(
        r#"BEGIN; ALTER TABLE agent_runtime ADD COLUMN profile_id uuid;
         INSERT INTO multica_runtime_incarnation
         VALUES ('00000000-0000-4000-8000-0000000000b2', md5('process')::uuid, now());
         UPDATE chat_session SET runtime_id = '00000000-0000-4000-8000-0000000000b2'
             WHERE id = '00000000-0000-4000-8000-000000000011';
         SELECT FROM multica_merge_legacy(
             '00000000-0000-4000-8000-0000000000a1', 'claude', 'machine.local', '00000000-0000-4000-8000-0000000000b1');
         SELECT FROM multica_register(
             '00000000-0000-4000-8000-0000000000a1', '{"daemon_id": "machine", "runtimes": [{"type": "claude"}]}');
         ROLLBACK"#
            .into(),
    );
    // Tables of a later server have quotas of runs, and tokens of tasks.
    calls.push(
        r#"BEGIN; ALTER TABLE autopilot_run ADD COLUMN quota_reservation_id uuid;
         CREATE UNIQUE INDEX ON autopilot_run (quota_reservation_id) WHERE quota_reservation_id IS NOT NULL;
         CREATE TABLE autopilot_quota_period (
             workspace_id uuid, period_start timestamptz, period_end timestamptz, used_count bigint, reserved_count bigint,
             PRIMARY KEY (workspace_id, period_start, period_end));
         CREATE TABLE autopilot_quota_reservation (
             id uuid PRIMARY KEY, workspace_id uuid, period_start timestamptz, period_end timestamptz, state text,
             finalized_at timestamptz);
         CREATE TABLE task_token (id uuid PRIMARY KEY, task_id uuid);
         CREATE INDEX ON task_token (task_id);
         INSERT INTO autopilot_quota_period SELECT w.id, 'epoch', now(), 0, 1 FROM workspace AS w;
         INSERT INTO autopilot_quota_reservation
         SELECT md5('quota')::uuid, a.workspace_id, 'epoch', now(), 'reserved' FROM autopilot AS a ORDER BY a.id LIMIT 1;
         INSERT INTO autopilot_run (id, autopilot_id, source, status, quota_reservation_id)
         SELECT md5('quota')::uuid, a.id, 'manual', 'running', md5('quota')::uuid FROM autopilot AS a ORDER BY a.id LIMIT 1;
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, autopilot_run_id, status, dispatched_at)
         SELECT md5('quota')::uuid, a.id, a.runtime_id, md5('quota')::uuid, 'dispatched', now()
         FROM agent AS a WHERE a.id = md5('agent1')::uuid;
         INSERT INTO task_token VALUES (md5('quota')::uuid, md5('quota')::uuid);
         SELECT FROM multica_fail(md5('quota')::uuid, 'error'); ROLLBACK"#
            .into(),
    );
    calls.extend(OF_RUNNING_TASKS.map(String::from));
    // Another task has the pending slot.
    calls.push(
        "BEGIN; SELECT FROM multica_enqueue_mention(
             '00000000-0000-4000-8000-0000000000d5', '00000000-0000-4000-8000-0000000000c1'); ROLLBACK"
            .into(),
    );
    // A run outlives its verdict.
    calls.push(
        "BEGIN; SELECT FROM multica_heartbeat(
             '00000000-0000-4000-8000-0000000000b1', ARRAY['00000000-0000-4000-8000-000000000041']::uuid[]);
         SELECT FROM multica_complete('00000000-0000-4000-8000-000000000041', claim_token => 0); ROLLBACK"
            .into(),
    );
    // A deferred task is due.
    calls.push(
        "BEGIN; UPDATE agent_runtime SET status = 'online', last_seen_at = now() WHERE id = md5('runtime2')::uuid;
         INSERT INTO agent_task_queue (agent_id, runtime_id, context, status, fire_at)
         SELECT md5('agent1')::uuid, md5('runtime2')::uuid, '{}', 'deferred', now()
         FROM multica_status() AS s WHERE 'deferred' = ANY (s.features);
         SELECT FROM multica_sweep(); ROLLBACK"
            .into(),
    );
    calls.extend(OF_SERVERS.map(String::from));
    // A silent machine claims for its runtimes below a limit. One task is a turn of a chat, with a message that is not
    // the last one. The operator has changed after which failures a session is unsafe.
    calls.push(
        "BEGIN; SELECT multica_limit('workspace', '00000000-0000-4000-8000-0000000000a1', 90);
         INSERT INTO multica_retry_policy (reason, unsafe_to_resume) VALUES ('strange', true);
         UPDATE agent_runtime SET last_seen_at = '-infinity' WHERE id = '00000000-0000-4000-8000-0000000000b1';
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, chat_session_id, chat_input_task_id, priority)
         VALUES (md5('turn')::uuid, '00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000b1',
             '00000000-0000-4000-8000-000000000012', md5('turn')::uuid, 9);
         INSERT INTO chat_message (chat_session_id, role, content, task_id, created_at)
         VALUES ('00000000-0000-4000-8000-000000000012', 'user', 'And now?', md5('turn')::uuid, now()),
             ('00000000-0000-4000-8000-000000000012', 'assistant', 'Done.', NULL, now() + interval '1 s');
         SELECT FROM multica_claim_many(
             ARRAY['00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000b9']::uuid[], 100,
             '00000000-0000-4000-8000-0000000000f9');
         ROLLBACK"
            .into(),
    );
    // A runtime with a queued task becomes stale.
    calls.push(format!(
        "BEGIN; UPDATE agent_runtime SET last_seen_at = '-infinity' WHERE id = md5('runtime2')::uuid; {FOR_THE_SWEEP};
         SELECT FROM multica_sweep(); ROLLBACK"
    ));
    // The clock was set back.
    calls.push(
        "BEGIN; UPDATE agent_runtime SET last_seen_at = 'infinity' WHERE id = '00000000-0000-4000-8000-0000000000b9';
         INSERT INTO agent_task_queue (agent_id, runtime_id, status, context, dispatched_at, started_at)
         VALUES ('00000000-0000-4000-8000-0000000000c1', '00000000-0000-4000-8000-0000000000b9', 'running', '{}', 'infinity', 'infinity');
         SELECT FROM multica_sweep(); ROLLBACK"
            .into(),
    );
    // One runtime becomes stale, and another one is collected after it.
    calls.push(
        "BEGIN; UPDATE agent_runtime SET last_seen_at = '-infinity' WHERE id = '00000000-0000-4000-8000-0000000000b9';
         INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'expired', 'expired', 'local', 'claude', 'offline', '-infinity' FROM workspace AS w ORDER BY w.id LIMIT 1;
         SELECT multica_sweep_part('verdicts'); SELECT multica_sweep_part('housekeeping'); ROLLBACK"
            .into(),
    );
    // A trigger skips the deletion of a runtime.
    calls.push(
        "BEGIN; CREATE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER skip_row BEFORE DELETE ON agent_runtime FOR EACH ROW EXECUTE FUNCTION skip_row();
         INSERT INTO agent_runtime (workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
         SELECT w.id, 'skipped', 'skipped', 'local', 'claude', 'offline', '-infinity' FROM workspace AS w ORDER BY w.id LIMIT 1;
         SELECT FROM multica_sweep(); ROLLBACK"
            .into(),
    );
    // In the tables of a server a task waits for too long, another one was failed without its retry, and a deferred retry
    // expires. Then all runtimes are silent.
    calls.push(
        "BEGIN; ALTER TRIGGER multica_issue_number ON issue RENAME TO of_a_server;
         INSERT INTO agent (id, workspace_id, name, runtime_mode, runtime_id, status)
         SELECT md5('rested')::uuid, r.workspace_id, 'rested', 'local', r.id, 'idle'
         FROM agent_runtime AS r WHERE r.id = '00000000-0000-4000-8000-0000000000b9';
         UPDATE agent_runtime SET status = 'offline', last_seen_at = now() - interval '4 hours'
         WHERE id = '00000000-0000-4000-8000-0000000000b9';
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, context, created_at)
         SELECT md5('old')::uuid, a.id, a.runtime_id, 'queued', '{}', '-infinity' FROM agent AS a WHERE a.id = md5('rested')::uuid;
         INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, context, completed_at, failure_reason)
         SELECT md5('lost')::uuid, a.id, a.runtime_id, 'failed', '{}', now() - interval '1 hour', 'runtime_offline'
         FROM agent AS a WHERE a.id = md5('rested')::uuid;
         INSERT INTO agent_task_queue (agent_id, runtime_id, status, context, fire_at, parent_task_id)
         SELECT a.id, a.runtime_id, 'deferred', '{}', '-infinity', md5('lost')::uuid FROM agent AS a
         WHERE a.id = md5('rested')::uuid AND (SELECT 'deferred' = ANY (s.features) FROM multica_status() AS s);
         INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, status, completed_at, failure_reason)
         SELECT a.id, a.runtime_id, (SELECT i.id FROM issue AS i ORDER BY i.id LIMIT 1), 'failed', now() - interval '1 hour', 'timeout'
         FROM agent AS a WHERE a.id = md5('rested')::uuid;
         SELECT FROM multica_sweep();
         UPDATE agent_runtime SET status = 'online', last_seen_at = clock_timestamp() - interval '10 ms';
         SET LOCAL multica.hold_verdicts = on; SET LOCAL multica.stale_after = '1ms';
         SELECT FROM multica_sweep(); ROLLBACK"
            .into(),
    );
    calls.push(on_an_empty_log("DELETE FROM multica_sweep_state"));
    // Calls that commit cannot be rolled back.
    calls.push("UPDATE agent_runtime SET last_seen_at = '-infinity'; SET multica.batch_size = 1".into());
    calls.push(FOR_THE_SWEEP.into());
    calls.push("CALL multica_sweep_all()".into());
    // An event log whose sequence is behind its rows starts a new range of ids.
    calls.push(format!("SELECT setval('multica_event_log_id_seq', 1); {RECORD}"));
    for routine in routines(client)? {
        let is_called = calls.iter().any(|it| it.contains(&format!("{}(", routine.name)));
        let is_administrators = OF_ADMINISTRATORS.contains(&routine.name.as_str());
        ensure!(is_called || is_administrators, "no script calls {}", routine.name);
    }
    Ok(calls)
}

/// Calls in tables with columns of a server: two runtimes have system agents of one key, agents are unbound, and a
/// runtime is collected whose task belongs to an unbound agent.
const OF_SERVERS: [&str; 4] = [
    "BEGIN; ALTER TABLE workspace ADD COLUMN attribution_fail_closed boolean NOT NULL DEFAULT false;
     SELECT FROM multica_enqueue('00000000-0000-4000-8000-0000000000c1', '{}');
     ROLLBACK",
    "BEGIN; ALTER TABLE agent ADD COLUMN kind text NOT NULL DEFAULT 'user', ADD COLUMN system_key text;
     CREATE TABLE task_token (agent_id uuid);
     CREATE INDEX ON task_token (agent_id);
     INSERT INTO agent (workspace_id, name, runtime_id, owner_id, kind, system_key)
     SELECT r.workspace_id, 'system agent of ' || r.name || r.status, r.id, u.id, 'system', 'key'
     FROM agent_runtime AS r, (SELECT id FROM \"user\" LIMIT 1) AS u
     WHERE r.id IN ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-0000000000b2');
     SELECT multica_reassign_agents('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000b1');
     ROLLBACK",
    "BEGIN; ALTER TABLE agent ADD COLUMN kind text NOT NULL DEFAULT 'user', ADD COLUMN system_key text;
     ALTER TABLE autopilot ADD COLUMN assignee_type text NOT NULL DEFAULT 'agent';
     ALTER TABLE issue DROP CONSTRAINT issue_assignee_type_check;
     CREATE TABLE squad (id uuid PRIMARY KEY, workspace_id uuid, leader_id uuid, archived_at timestamptz);
     CREATE INDEX ON squad (workspace_id);
     CREATE TABLE squad_member (member_type text, member_id uuid);
     CREATE INDEX ON squad_member (member_type, member_id);
     ALTER TRIGGER multica_issue_number ON issue RENAME TO number_of_issue;
     SELECT FROM multica_delete_runtime(
         '00000000-0000-4000-8000-0000000000b1', ARRAY['00000000-0000-4000-8000-0000000000c1']::uuid[]);
     ROLLBACK",
    "BEGIN; INSERT INTO agent_runtime (id, workspace_id, daemon_id, name, runtime_mode, provider, status, last_seen_at)
     VALUES (md5('expired')::uuid, '00000000-0000-4000-8000-0000000000a1', 'expired', 'expired', 'local', 'claude', 'offline',
         '-infinity');
     INSERT INTO agent (id, workspace_id, name)
     VALUES (md5('unbound')::uuid, '00000000-0000-4000-8000-0000000000a1', 'unbound');
     INSERT INTO agent_task_queue (agent_id, runtime_id, status, completed_at)
     VALUES (md5('unbound')::uuid, md5('expired')::uuid, 'completed', now());
     SELECT FROM multica_delete_stale_offline_runtimes(3600);
     ROLLBACK",
];

/// A daemon loses a task, and another task gives no sign of life any more. Then the index of the tasks of a runtime is
/// missing, and in the last script the tasks have no time of their own heartbeat, as those of a later server.
const OF_RUNNING_TASKS: [&str; 3] = [
    "BEGIN; INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, context, dispatched_at, started_at)
     SELECT md5('running')::uuid, '00000000-0000-4000-8000-0000000000c1', r.id, 'running', '{}', now() - interval '1 hour', now() - interval '1 hour'
     FROM agent_runtime AS r WHERE r.id = '00000000-0000-4000-8000-0000000000b1';
     SELECT multica_set_runtime_offline('00000000-0000-4000-8000-0000000000b1');
     SELECT FROM multica_heartbeat('00000000-0000-4000-8000-0000000000b1', '{}');
     SELECT FROM multica_heartbeat('00000000-0000-4000-8000-0000000000b1', '{}');
     SET LOCAL multica.lost_after = '1ms';
     SELECT FROM multica_sweep();
     INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, context, dispatched_at, started_at, last_heartbeat_at)
     SELECT md5('idle')::uuid, '00000000-0000-4000-8000-0000000000c1', r.id, 'running', '{}', now() - interval '2 hours', now() - interval '2 hours',
         now() - interval '1 hour'
     FROM agent_runtime AS r WHERE r.id = '00000000-0000-4000-8000-0000000000b1';
     UPDATE multica_runtime_return SET returned_at = '-infinity';
     SET LOCAL multica.idle_timeout = '1ms';
     SELECT FROM multica_sweep(); ROLLBACK",
    "BEGIN; DROP INDEX IF EXISTS multica_task_runtime;
     SELECT FROM multica_heartbeat('00000000-0000-4000-8000-0000000000b1', ARRAY[md5('running')::uuid]); ROLLBACK",
    "BEGIN; ALTER TABLE agent_task_queue DROP COLUMN last_heartbeat_at;
     INSERT INTO agent_task_queue (id, agent_id, runtime_id, status, context, dispatched_at, started_at)
     SELECT md5('running')::uuid, '00000000-0000-4000-8000-0000000000c1', r.id, 'running', '{}', now() - interval '1 hour', now() - interval '1 hour'
     FROM agent_runtime AS r WHERE r.id = '00000000-0000-4000-8000-0000000000b1';
     SELECT multica_pin_session(md5('running')::uuid, 'session');
     SELECT FROM multica_progress(md5('running')::uuid, progress => '{}');
     UPDATE multica_task_progress SET signed_at = 'infinity';
     SET LOCAL multica.idle_timeout = '1ms';
     SELECT FROM multica_sweep(); ROLLBACK",
];

/// Records an event.
const RECORD: &str = "SELECT FROM multica_enqueue('00000000-0000-4000-8000-0000000000c1', '{}')";

/// The statements of the functions, by file.
pub struct Statements {
    files: BTreeMap<String, String>,
    /// The file of each text that was looked up.
    known: HashMap<String, Option<String>>,
}

impl Statements {
    /// Reads the files.
    pub fn read(project: &Project) -> Result<Statements> {
        let mut files = BTreeMap::new();
        for topic in STATEMENTS {
            let found = project.sources(&format!("sql/{topic}"))?;
            files.extend(found.into_iter().map(|(file, text)| (format!("{topic}/{file}"), text)));
        }
        files.retain(|file, _| file != WITHOUT_THE_LOG && !BESIDE_OTHERS.contains(&file.as_str()));
        Ok(Statements { files, known: HashMap::new() })
    }

    /// Returns the names of all files.
    pub fn names(&self) -> BTreeSet<String> {
        self.files.keys().cloned().collect()
    }

    /// Returns the file from which a server got this text.
    pub fn file_of(&mut self, text: &str) -> Option<&str> {
        let files = &self.files;
        let known = self.known.entry(text.to_string()).or_insert_with(|| {
            let mut of_text = files.iter().filter(|(_, file)| is_statement_of(file, text));
            of_text.next().map(|(name, _)| name.clone())
        });
        known.as_deref()
    }
}
