INSERT INTO agent_task_queue (agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, priority,
                              context, session_id, work_dir, max_attempts, attempt, parent_task_id, status)
SELECT agent_id, runtime_id, issue_id, chat_session_id, autopilot_run_id, trigger_comment_id, priority, context, session_id,
       work_dir, max_attempts, attempt + 1, id, 'queued'
FROM agent_task_queue WHERE id = $1
RETURNING *
