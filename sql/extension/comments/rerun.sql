COMMENT ON FUNCTION multica_rerun(uuid, uuid) IS
$$Reruns an issue for a user: it cancels the active tasks of the issue's assignee on it and queues a new task, in one
transaction. The new task starts a chain of its own (attempt 1) and resumes where the agent's last task on the issue
stopped, the task that was just cancelled included. If the agent is now on another runtime than that task, it takes over
the working directory and no session.
issue_id: id of the issue.
trigger_comment_id: id of the comment on this issue that asks for the task; NULL (the default) if no comment does.
Returns multica_task, the new one. Records task:cancelled and task:queued.
Errors: 22004 issue_id is NULL; P0002 (no_issue, no_comment, no_agent) the issue does not exist, the comment is not on it,
  or the agent is in another workspace; 55000 (not_assigned) the issue is not assigned to an agent; 55000 (archived) the
  agent is archived; 55000 (try_again) another session reassigned the issue at the same time; 40001 the agent was bound to
  another runtime at the same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000
  (unsupported_feature) the call does not work yet with a feature of the tables; 42501 a privilege on the tables is missing.
Implements the server's rerun endpoint.$$;
