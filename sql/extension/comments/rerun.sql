COMMENT ON FUNCTION multica_rerun(uuid, uuid, jsonb) IS
$$Reruns an issue for a user: it cancels tasks of the issue's assignee on it and queues a new task, in one transaction. The
new task starts a chain of its own (attempt 1), and answers the comments of the tasks that were cancelled. In the tables of
a server that stores what a task reruns (rerun_of_task_id), tasks that have started go on, and the new task waits behind
them; a claim decides by rerun_of_task_id where it resumes. In other tables every active task is cancelled, and the new task
resumes where the agent's last task on the issue stopped, the task that was just cancelled included. If the agent is now on
another runtime than that task, or if resuming would repeat its failure, it takes over the working directory and no session.
issue_id: id of the issue.
trigger_comment_id: id of the comment on this issue that asks for the task; NULL (the default) if no comment does.
provenance: where the new task comes from, an object as for multica_enqueue_issue; NULL (the default) means that the owner
  of the agent is accountable.
Returns multica_task, the new one. Records task:cancelled and task:queued.
Errors: 22004 issue_id is NULL; 22023 provenance is malformed, has an unknown key, or names two different users; P0002
  (no_issue, no_comment, no_agent) the issue does not exist, the comment is not on it, or the agent is in another workspace;
  55000 (not_assigned) the issue is not assigned to an agent or to a squad; 55000 (archived, unbound) the agent is archived
  or is bound to no runtime; 55000 (unattributed) the workspace requires a user, and provenance names none; 55000
  (try_again) another session reassigned the issue at the same time; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (missing_feature) a key of
  provenance needs a feature that the tables lack; 42501 a privilege on the tables is missing.
Implements the server's rerun endpoint.$$;

COMMENT ON FUNCTION multica_rerun_task(uuid, uuid, jsonb) IS
$$Reruns one task that has ended, for a user: it queues a first attempt for the same agent, issue, chat session or autopilot
run, with the comments, the context, the role, the priority and max_attempts of that task. The task need not have an issue.
Tasks of the same issue and agent that have not started are cancelled, and their comments are answered too; tasks that have
started go on. The new task resumes where that task stopped: in its working directory, and in its session unless the agent
is on another runtime or resuming would repeat its failure. An autopilot run that has ended stays as it is.
task_id: id of the task.
trigger_comment_id: id of the comment on the task's issue that asks for the rerun; NULL (the default) means the task's own
  comment.
provenance: where the new task comes from, an object as for multica_enqueue_issue; NULL (the default) means that the owner
  of the agent is accountable.
Returns multica_task, the new one. Records task:cancelled for each task that it replaces, and task:queued.
Errors: 22004 task_id is NULL; 22023 provenance is malformed, has an unknown key, or names two different users; P0002
  (no_task, no_comment) the task does not exist, or the comment is not on its issue or in its workspace; 55000 (wrong_state)
  the task has not ended, or its chat session or autopilot run was deleted; 55000 (chat_archived, channel_chat) its chat
  session is archived, or belongs to a channel; 55000 (archived, unbound) the agent is archived or is bound to no runtime;
  55000 (unattributed) the workspace requires a user, and provenance names none; 55000 (not_executable) the machine of the
  runtime cannot execute the provider, for a task of an autopilot run; 40001 the agent was bound to another runtime at the
  same time, repeat the transaction; 55000 (install_needed) the tables are missing; 0A000 (missing_feature) a key of
  provenance needs a feature that the tables lack; 42501 a privilege on the tables is missing.
Implements the server's rerun endpoint for one task.$$;
