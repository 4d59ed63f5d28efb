"""A daemon: it claims tasks, runs a command for each, and reports how the command ended.

    DATABASE_URL=… python daemon.py WORKSPACE_ID COMMAND [ARGUMENT …]

Needs Linux and pip install 'psycopg[binary]'.

DATABASE_URL names a login role with the capability daemon, and no other right:
    CREATE ROLE fleet_daemon LOGIN PASSWORD '…'; SELECT multica_grant('fleet_daemon', 'daemon');

COMMAND runs once per task, in the task's directory. Its output is the result; if it fails, its error output is the error. It
inherits the environment of this process, with two variables more: TASK, the context of the task as JSON, and SESSION_ID, the
session that it is to begin or to resume. DATABASE_URL is inherited too, so COMMAND can do what the role can do.

If the machine sleeps for long, its tasks are failed. When it wakes up, the daemon goes on with those whose retry nobody has begun.
If it loses the connection, its commands work on while it waits for the server.

Any other error ends the daemon and all its commands. A supervisor starts it again; it then fails what it left in flight, and the
extension retries that. If another process with the same host name registers, the daemon exits with status 0, after which the
supervisor must not start it again.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from typing import IO, NamedTuple

import psycopg
from psycopg.errors import ObjectNotInPrerequisiteState as NoLongerOurs  # Cancelled, failed, or claimed again.
from psycopg.errors import SerializationFailure as TryAgain
from psycopg.types.json import Jsonb

INCARNATION = uuid.uuid4()  # Of this process: the database lets only the process work that registered last.
MAX_TASKS = 4
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", 3))


class Agent(NamedTuple):
    """A command that works on a task."""

    claim_token: int
    process: subprocess.Popen
    output: IO[str]
    errors: IO[str]


def register(db, workspace):
    """Returns the id of the runtime. With "recover", tasks that an earlier process of this daemon left in flight are failed."""
    registration = {
        "daemon_id": socket.gethostname(),
        "incarnation": str(INCARNATION),
        "recover": True,
        "runtimes": [{"type": "claude"}],
    }
    return db.execute("SELECT id FROM multica_register(%s, %s)", [workspace, Jsonb(registration)]).fetchone().id


def heartbeat(db, runtime, agents):
    """Reports that the daemon is alive, and kills the commands of tasks that are no longer ours."""
    arguments = [runtime, list(agents), INCARNATION]
    beat = db.execute("SELECT stop_task_ids, resume_task_ids FROM multica_heartbeat(%s, %s, %s)", arguments).fetchone()
    for task_id in beat.stop_task_ids:
        if task_id not in beat.resume_task_ids or not resume(db, task_id, agents):
            agents.pop(task_id).process.kill()


def resume(db, task_id, agents):
    """Goes on with a command whose task was failed while the machine was asleep: from now on it works on the retry of the task.
    Returns whether it can go on."""
    try:
        retry = db.execute("SELECT id, claim_token FROM multica_resume(%s, %s)", [task_id, agents[task_id].claim_token]).fetchone()
    except NoLongerOurs:
        return False
    except TryAgain:
        return True  # The next heartbeat returns the task again.
    agents[retry.id] = agents.pop(task_id)._replace(claim_token=retry.claim_token)
    return True


def finish(db, agents):
    """Reports the tasks whose command has exited."""
    for task_id in [task_id for task_id, agent in agents.items() if agent.process.poll() is not None]:
        token, process, *files = agents[task_id]
        output, errors = map(read, files)
        try:
            if process.returncode == 0:
                result = json.dumps({"output": output}).encode()
                db.execute("SELECT FROM multica_complete_raw(%s, %s, claim_token => %s)", [task_id, result, token])
            else:
                error = (errors or output or f"exit status {process.returncode}").encode()
                db.execute("SELECT FROM multica_fail_raw(%s, %s, claim_token => %s)", [task_id, error, token])
        except NoLongerOurs:
            pass
        sys.stderr.write(errors)
        del agents[task_id]  # Only now: if the call fails, the next round repeats it.


def read(file):
    """Returns all text of a file. The calls for raw bytes leave out what Postgres cannot store, such as NUL."""
    file.seek(0)
    return file.read()


def poll(db, runtime, agents, command):
    """Claims as many tasks as there is room for, and starts a command for each."""
    arguments = [runtime, MAX_TASKS - len(agents), INCARNATION]
    tasks = db.execute("SELECT * FROM multica_claim(%s, %s, %s)", arguments).fetchall()
    for task in tasks:
        session = task.prior_session_id or str(task.id)
        directory = task.prior_work_dir or tempfile.mkdtemp()
        try:
            db.execute("SELECT FROM multica_start(%s, %s)", [task.id, task.claim_token])
            # From here on a retry resumes this session in this directory.
            db.execute("SELECT multica_pin_session(%s, %s, %s, %s)", [task.id, session, directory, task.claim_token])
            agents[task.id] = run(task, session, directory, command)
        except (NoLongerOurs, TryAgain):
            pass  # It is not ours, or a later claim returns it again.


def run(task, session, directory, command):
    """Starts the command. It dies with the daemon: otherwise it would work on beside the retry of its task."""
    os.makedirs(directory, exist_ok=True)
    environment = os.environ | {"SESSION_ID": session, "TASK": json.dumps(task.context)}
    output, errors = (tempfile.TemporaryFile("w+", errors="replace") for _ in range(2))
    dies_with_us = ["setpriv", "--pdeathsig", "KILL", *command]
    process = subprocess.Popen(dies_with_us, cwd=directory, env=environment, stdout=output, stderr=errors)
    return Agent(task.claim_token, process, output, errors)


def connect():
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=psycopg.rows.namedtuple_row)


def reconnect(stopping):
    """Waits until the server is there again. The process is still the registered one, so it does not register again."""
    while not stopping:
        try:
            return connect()
        except psycopg.OperationalError:
            time.sleep(POLL_SECONDS)
    sys.exit("the connection is lost")


def main(workspace, program, *arguments):
    path = shutil.which(program) or sys.exit(f"{program} is not a command")
    command = [os.path.abspath(path), *arguments]  # It runs in other directories.
    stopping = []
    for number in signal.SIGTERM, signal.SIGINT:  # No exception, which could interrupt a call.
        signal.signal(number, lambda *_: stopping.append(True))
    db = connect()
    runtime = register(db, workspace)
    agents = {}  # By the id of the task.
    try:
        while not stopping:
            try:
                heartbeat(db, runtime, agents)
                finish(db, agents)
                poll(db, runtime, agents, command)
            except psycopg.OperationalError as error:  # The next round repeats what is left.
                print(error, file=sys.stderr)
                db = reconnect(stopping) if db.closed else db
            time.sleep(POLL_SECONDS)
    except NoLongerOurs as error:
        if error.diag.constraint_name != "superseded":
            raise
        print(error, file=sys.stderr)  # The runtime is the other process's now, so it is not deregistered.
    else:
        db.execute("SELECT multica_deregister(%s)", [[runtime]])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
