-- The indexes that sweeps and claims read. They are partial, for tasks in flight or active, so that the cost does not grow with the
-- history.
CREATE INDEX multica_task_in_flight ON agent_task_queue (dispatched_at, id)
    WHERE status IN ('dispatched', 'running');
CREATE INDEX multica_task_unstarted ON agent_task_queue (dispatched_at, id) WHERE status = 'dispatched';
CREATE INDEX multica_task_running ON agent_task_queue (started_at, id) WHERE status = 'running';
CREATE INDEX multica_task_busy ON agent_task_queue (agent_id, dispatched_at)
    WHERE status NOT IN ('completed', 'failed', 'cancelled', 'queued');
CREATE INDEX multica_task_dispatched ON agent_task_queue (runtime_id, dispatched_at, id) WHERE status = 'dispatched';

-- A claim goes from agent to agent of a runtime, and takes the best tasks of each agent.
CREATE INDEX multica_task_claim ON agent_task_queue (runtime_id, agent_id, priority DESC, created_at, id)
    WHERE status = 'queued';

-- Not partial, because every deletion of a runtime searches its whole history, and the last session of a chat is that of an ended
-- task.
CREATE INDEX multica_task_runtime ON agent_task_queue (runtime_id, status);
CREATE INDEX multica_task_chat ON agent_task_queue (chat_session_id, completed_at);

CREATE INDEX multica_agent_runtime ON agent (runtime_id);

-- The foreign keys search these indexes, row by row, when archived agents are deleted. Without the indexes, a whole table would be
-- read for each chat, task and run of such an agent.
CREATE INDEX multica_task_run ON agent_task_queue (autopilot_run_id) WHERE autopilot_run_id IS NOT NULL;
CREATE INDEX multica_run_task ON autopilot_run (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX multica_chat_agent ON chat_session (agent_id);

-- The agents with the status working, among which a sweep finds those that have no task in flight.
CREATE INDEX multica_agent_working ON agent (updated_at, id) WHERE status = 'working';
