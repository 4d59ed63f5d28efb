"""A daemon: DATABASE_URL=… python daemon.py WORKSPACE_ID COMMAND…

Needs Linux and pip install 'psycopg[binary]'. COMMAND works on one task, in the task's directory and with the SESSION_ID
that it is to resume; what it prints is the result, and if it fails, its messages are the error. Any error of the daemon
ends it together with its agents; whatever supervises it starts it again, and the work is then recovered.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import psycopg
from psycopg.types.json import Jsonb

SLOTS = 4
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", 3))
# The task was cancelled or failed, or a newer claim holds it.
TAKEN_AWAY = psycopg.errors.ObjectNotInPrerequisiteState

running = {}  # task id: (claim token, process, its output, its messages)
stopping = []
for ask in signal.SIGTERM, signal.SIGINT:  # An exception in the middle of a call could leave the connection in pieces.
    signal.signal(ask, lambda *_: stopping.append(True))


def text_of(file):
    file.seek(0)
    return file.read().replace("\0", "")  # which no text in Postgres can hold


def beat(db, runtime):
    stop = db.execute("SELECT stop_task_ids FROM multica_heartbeat(%s, %s)", [runtime, list(running)]).fetchone()
    for task in stop.stop_task_ids:
        _, agent, _, _ = running.pop(task)
        agent.kill()


def finish(db):
    for task in [known for known in running if running[known][1].poll() is not None]:
        token, agent, output, messages = running.pop(task)
        said, complaints = text_of(output), text_of(messages)
        sys.stderr.write(complaints)
        with contextlib.suppress(TAKEN_AWAY):
            if agent.returncode == 0:
                result = Jsonb({"output": said})
                db.execute("SELECT FROM multica_complete(%s, %s, claim_token => %s)", [task, result, token])
            else:
                error = complaints or said or f"exit status {agent.returncode}"
                db.execute("SELECT FROM multica_fail(%s, %s, claim_token => %s)", [task, error, token])


def begin(db, runtime, command):
    for task in db.execute("SELECT * FROM multica_claim(%s, %s)", [runtime, SLOTS - len(running)]).fetchall():
        session = task.prior_session_id or str(task.id)
        place = task.prior_work_dir or tempfile.mkdtemp()
        with contextlib.suppress(TAKEN_AWAY):
            db.execute("SELECT FROM multica_start(%s, %s)", [task.id, task.claim_token])
            db.execute("SELECT multica_pin_session(%s, %s, %s, %s)", [task.id, session, place, task.claim_token])
            os.makedirs(place, exist_ok=True)
            env = os.environ | {"SESSION_ID": session, "TASK": json.dumps(task.context)}
            output = tempfile.TemporaryFile("w+", errors="replace")
            messages = tempfile.TemporaryFile("w+", errors="replace")
            agent = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], cwd=place, env=env, stdout=output, stderr=messages
            )
            running[task.id] = (task.claim_token, agent, output, messages)


def main(workspace, program, *arguments):
    found = shutil.which(program)
    if found is None:
        sys.exit(f"{program} is not a command")
    command = [os.path.abspath(found), *arguments]  # The agent runs in a directory of its own.
    db = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=psycopg.rows.namedtuple_row)
    machine = {"daemon_id": socket.gethostname(), "recover": True, "runtimes": [{"type": "claude"}]}
    runtime = db.execute("SELECT id FROM multica_register(%s, %s)", [workspace, Jsonb(machine)]).fetchone().id
    while not stopping:
        beat(db, runtime)
        finish(db)
        begin(db, runtime, command)
        time.sleep(POLL_SECONDS)
    db.execute("SELECT multica_deregister(%s)", [[runtime]])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
