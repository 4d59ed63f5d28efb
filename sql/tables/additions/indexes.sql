-- What the sweeps and claims read. Partial on what is in flight or active, so that their cost does not grow with history.
CREATE INDEX multica_task_in_flight ON agent_task_queue (dispatched_at, id)
    WHERE status IN ('dispatched', 'running');
CREATE INDEX multica_task_unstarted ON agent_task_queue (dispatched_at, id) WHERE status = 'dispatched';
CREATE INDEX multica_task_running ON agent_task_queue (started_at, id) WHERE status = 'running';
CREATE INDEX multica_task_busy ON agent_task_queue (agent_id, dispatched_at)
    WHERE status NOT IN ('completed', 'failed', 'cancelled', 'queued');
CREATE INDEX multica_task_dispatched ON agent_task_queue (runtime_id, dispatched_at, id) WHERE status = 'dispatched';

-- Claims go from agent to agent of a runtime, and take the best of each.
CREATE INDEX multica_task_claim ON agent_task_queue (runtime_id, agent_id, priority DESC, created_at, id)
    WHERE status = 'queued';

-- Not partial: every delete of a runtime probes its whole history, and the last session of a chat is a finished task's.
CREATE INDEX multica_task_runtime ON agent_task_queue (runtime_id, status);
CREATE INDEX multica_task_chat ON agent_task_queue (chat_session_id, completed_at);

CREATE INDEX multica_agent_runtime ON agent (runtime_id);

-- What the foreign keys probe, row by row, when archived agents go with their runtime: without these each chat, task and
-- run of theirs reads a whole table.
CREATE INDEX multica_task_run ON agent_task_queue (autopilot_run_id) WHERE autopilot_run_id IS NOT NULL;
CREATE INDEX multica_run_task ON autopilot_run (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX multica_chat_agent ON chat_session (agent_id);

-- The agents at work, of which a sweep finds those that have nothing in flight.
CREATE INDEX multica_agent_working ON agent (updated_at, id) WHERE status = 'working';
