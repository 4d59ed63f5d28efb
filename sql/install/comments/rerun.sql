COMMENT ON FUNCTION multica_rerun(uuid, uuid) IS
$$A user wants an issue worked on again: what its assignee has active there is cancelled and a fresh task queued, in one
transaction. It begins a chain of its own (attempt 1) and resumes where the agent left off, the run just cancelled
included; on another runtime than that run's it takes over the working directory and no session.
issue_id: the issue.
trigger_comment_id: the comment of this issue that asks for it; NULL where none does.
Returns multica_task, the fresh one. Records task:cancelled and task:queued.
Errors: 22004 issue_id is NULL; P0002 no such issue, no such comment on it, or the agent is of another workspace; 55000
  no agent is assigned, the agent is archived, somebody reassigned the issue meanwhile, or the tables are missing;
  42501 no privilege on them.
Carries out the server's rerun endpoint.$$;
