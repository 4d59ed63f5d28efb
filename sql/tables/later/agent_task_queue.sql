-- Columns that later migrations of the server added and that a database without a server has from its creation. On an adopted table
-- they only describe what its migrations made.
-- feature summary
ALTER TABLE agent_task_queue ADD COLUMN trigger_summary text;
-- end summary
-- feature fresh
ALTER TABLE agent_task_queue ADD COLUMN force_fresh_session boolean NOT NULL DEFAULT false;
-- end fresh
-- feature waiting
ALTER TABLE agent_task_queue ADD COLUMN wait_reason text;
-- end waiting
-- feature lease
ALTER TABLE agent_task_queue ADD COLUMN prepare_lease_expires_at timestamptz;
-- end lease
-- feature escalation
ALTER TABLE agent_task_queue ADD COLUMN escalation_for_task_id uuid;
-- end escalation
-- feature deferred
ALTER TABLE agent_task_queue ADD COLUMN fire_at timestamptz;
-- end deferred
-- feature originator
ALTER TABLE agent_task_queue ADD COLUMN originator_user_id uuid;
-- end originator
-- feature coalesced
ALTER TABLE agent_task_queue ADD COLUMN coalesced_comment_ids uuid[] NOT NULL DEFAULT '{}';
-- end coalesced
-- feature chat_input
ALTER TABLE agent_task_queue ADD COLUMN chat_input_task_id uuid;
-- end chat_input
-- feature provenance
ALTER TABLE agent_task_queue ADD COLUMN originator_source text;
ALTER TABLE agent_task_queue ADD COLUMN delegated_from_task_id uuid;
ALTER TABLE agent_task_queue ADD COLUMN retry_of_task_id uuid;
ALTER TABLE agent_task_queue ADD COLUMN rerun_of_task_id uuid;
ALTER TABLE agent_task_queue ADD COLUMN rule_version_id uuid;
ALTER TABLE agent_task_queue ADD COLUMN trigger_evidence_kind text;
ALTER TABLE agent_task_queue ADD COLUMN trigger_evidence_ref_id uuid;
-- end provenance
-- feature accountable
ALTER TABLE agent_task_queue ADD COLUMN accountable_user_id uuid;
-- feature originator
ALTER TABLE agent_task_queue ADD CONSTRAINT agent_task_queue_accountable_matches_originator
    CHECK (originator_user_id IS NULL OR (accountable_user_id IS NOT NULL AND accountable_user_id = originator_user_id));
-- end originator
-- end accountable
-- feature rollout
ALTER TABLE agent_task_queue ADD COLUMN session_rollout_missing boolean NOT NULL DEFAULT false;
-- end rollout
-- feature retired
ALTER TABLE agent_task_queue ADD COLUMN retired_session_id text;
-- end retired
-- feature branch
ALTER TABLE agent_task_queue ADD COLUMN branch_name text;
-- end branch
-- feature durable
ALTER TABLE agent_task_queue ADD COLUMN durable_work_dir text;
-- end durable

-- Only an ended task can be without a runtime.
-- feature unbound
ALTER TABLE agent_task_queue ADD CONSTRAINT agent_task_queue_active_requires_runtime
    CHECK (runtime_id IS NOT NULL OR completed_at IS NOT NULL);
-- end unbound
