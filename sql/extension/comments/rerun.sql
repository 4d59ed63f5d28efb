COMMENT ON FUNCTION multica_rerun(uuid, uuid) IS
$$Queues an issue again: the active tasks of its assignee there are cancelled and a new task is queued, in one transaction. The
new task is attempt 1, and resumes where the agent left off, in the task just cancelled too. On another runtime than that
task's it resumes the working directory but no session.
issue_id: the issue.
trigger_comment_id: the comment of this issue that asks for it; NULL if there is none.
Returns multica_task, the new one. Records task:cancelled and task:queued.
Errors: 22004 issue_id is NULL; P0002 no such issue, no such comment on it, or the agent is of another workspace; 55000
  no agent is assigned, the agent is archived, another session has reassigned the issue, or the tables are missing;
  42501 no privilege on them.
Carries out the server's rerun endpoint.$$;
