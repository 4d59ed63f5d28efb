-- The server's own indexes, under the server's names, as far as the functions or foreign keys read them.
CREATE INDEX idx_member_workspace ON member (workspace_id);

CREATE INDEX idx_agent_runtime_workspace ON agent_runtime (workspace_id);
CREATE INDEX idx_agent_runtime_status ON agent_runtime (workspace_id, status);

CREATE INDEX idx_agent_workspace ON agent (workspace_id);

CREATE INDEX idx_issue_workspace ON issue (workspace_id);
CREATE INDEX idx_issue_assignee ON issue (assignee_type, assignee_id);
CREATE INDEX idx_issue_status ON issue (workspace_id, status);
CREATE INDEX idx_issue_parent ON issue (parent_issue_id);
CREATE INDEX idx_issue_project ON issue (project_id);
CREATE INDEX idx_issue_origin ON issue (origin_type, origin_id) WHERE origin_type IS NOT NULL;
CREATE INDEX idx_issue_first_executed ON issue (workspace_id, first_executed_at) WHERE first_executed_at IS NOT NULL;

CREATE INDEX idx_comment_issue ON comment (issue_id);

CREATE INDEX idx_chat_session_workspace ON chat_session (workspace_id);
CREATE INDEX idx_chat_session_creator ON chat_session (creator_id, workspace_id);
CREATE INDEX idx_chat_message_session ON chat_message (chat_session_id, created_at);

CREATE INDEX idx_autopilot_workspace ON autopilot (workspace_id);
CREATE INDEX idx_autopilot_assignee ON autopilot (assignee_id);
CREATE INDEX idx_autopilot_run_autopilot ON autopilot_run (autopilot_id, created_at DESC);
CREATE INDEX idx_autopilot_run_status ON autopilot_run (autopilot_id, status)
    WHERE status = ANY ('{issue_created,running}'::text[]);
CREATE INDEX idx_autopilot_run_issue ON autopilot_run (issue_id) WHERE issue_id IS NOT NULL;

CREATE INDEX idx_agent_task_queue_agent ON agent_task_queue (agent_id, status);
