-- The indexes that sweeps and claims read. They are partial, for tasks in flight or active, so that the cost does not grow with the
-- history. A predicate is written as a constant array: IN would be stored as an expression that each statement evaluates again.
CREATE INDEX multica_task_in_flight_v2 ON agent_task_queue (dispatched_at, id)
    WHERE status = ANY ('{dispatched,running,waiting_local_directory}'::text[]);
CREATE INDEX multica_task_busy_v2 ON agent_task_queue (agent_id, dispatched_at)
    WHERE status <> ALL ('{completed,failed,cancelled,queued,deferred}'::text[]);

-- Tasks that are to be queued later, which are counted and found per runtime.
-- feature deferred
CREATE INDEX multica_task_deferred ON agent_task_queue (runtime_id) WHERE status = 'deferred'::text;
-- end deferred

-- A start cancels the tasks that were to run unless it happened.
-- feature escalation
CREATE INDEX multica_task_escalation ON agent_task_queue (escalation_for_task_id) WHERE escalation_for_task_id IS NOT NULL;
-- end escalation

-- A claim goes from agent to agent of a runtime, and takes the best tasks of each agent.
CREATE INDEX multica_task_claim ON agent_task_queue (runtime_id, agent_id, priority DESC, created_at, id)
    WHERE status = 'queued'::text;

-- Not partial, because every deletion of a runtime searches its whole history.
CREATE INDEX multica_task_runtime ON agent_task_queue (runtime_id, status);

-- The last session of an issue or a chat is that of an ended task. Tasks without an issue or a chat need no entry.
CREATE INDEX multica_task_issue ON agent_task_queue (issue_id) WHERE issue_id IS NOT NULL;
CREATE INDEX multica_task_chat_v2 ON agent_task_queue (chat_session_id, completed_at) WHERE chat_session_id IS NOT NULL;

-- A session that a task has retired is not resumed; few tasks retire one.
-- feature retired
CREATE INDEX multica_task_retired ON agent_task_queue (chat_session_id, retired_session_id)
    WHERE chat_session_id IS NOT NULL AND retired_session_id IS NOT NULL;
-- end retired

CREATE INDEX multica_agent_runtime ON agent (runtime_id);

-- The foreign keys search these indexes, row by row, when archived agents are deleted. Without the indexes, a whole table would be
-- read for each chat, task and run of such an agent.
CREATE INDEX multica_task_parent ON agent_task_queue (parent_task_id) WHERE parent_task_id IS NOT NULL;
CREATE INDEX multica_task_run ON agent_task_queue (autopilot_run_id) WHERE autopilot_run_id IS NOT NULL;
CREATE INDEX multica_run_task ON autopilot_run (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX multica_chat_agent ON chat_session (agent_id);
-- feature chat_runtime
CREATE INDEX multica_chat_runtime ON chat_session (runtime_id) WHERE runtime_id IS NOT NULL;
-- end chat_runtime

-- The agents with the status working, among which a sweep finds those that have no task in flight.
CREATE INDEX multica_agent_working ON agent (updated_at, id) WHERE status = 'working'::text;
