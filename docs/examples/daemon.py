"""A daemon: DATABASE_URL=… python daemon.py WORKSPACE_ID COMMAND…

COMMAND works on one task, in the directory and with the SESSION_ID it is to resume; what it prints is the result. Any
error ends the daemon and its agents, and whoever watches over it starts it again: what it ran is then recovered. Linux.
"""
import contextlib, json, os, signal, socket, subprocess, sys, tempfile, time

import psycopg
from psycopg.types.json import Jsonb

slots, poll = 4, float(os.environ.get("POLL_SECONDS", 3))
(workspace, *command), running, stopping = sys.argv[1:], {}, []
for ask in signal.SIGTERM, signal.SIGINT:  # Raised in the middle of a call, it could end with the connection in pieces.
    signal.signal(ask, lambda *_: stopping.append(True))
db = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=psycopg.rows.namedtuple_row)
machine = {"daemon_id": socket.gethostname(), "recover": True, "runtimes": [{"type": "claude"}]}
runtime = db.execute("SELECT id FROM multica_register(%s, %s)", [workspace, Jsonb(machine)]).fetchone().id
unless_taken_away = contextlib.suppress(psycopg.errors.ObjectNotInPrerequisiteState)  # cancelled, failed, claimed anew
while not stopping:
    beat = db.execute("SELECT stop_task_ids FROM multica_heartbeat(%s, %s)", [runtime, list(running)]).fetchone()
    for task in beat.stop_task_ids:
        running.pop(task)[1].kill()
    for task in [known for known in running if running[known][1].poll() is not None]:
        token, agent, output = running.pop(task)
        output.seek(0)
        said = output.read().replace("\0", "")  # which no text in Postgres can hold
        call, told = "complete", Jsonb({"output": said})
        if agent.returncode:
            call, told = "fail", said or f"exit status {agent.returncode}"
        with unless_taken_away:
            db.execute(f"SELECT FROM multica_{call}(%s, %s, claim_token => %s)", [task, told, token])
    for task in db.execute("SELECT * FROM multica_claim(%s, %s)", [runtime, slots - len(running)]).fetchall():
        session, place = task.prior_session_id or str(task.id), task.prior_work_dir or tempfile.mkdtemp()
        with unless_taken_away:
            db.execute("SELECT FROM multica_start(%s, %s)", [task.id, task.claim_token])
            db.execute("SELECT multica_pin_session(%s, %s, %s, %s)", [task.id, session, place, task.claim_token])
            os.makedirs(place, exist_ok=True)
            env = os.environ | {"SESSION_ID": session, "TASK": json.dumps(task.context)}
            output = tempfile.TemporaryFile("w+", errors="replace")
            agent = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=place, env=env, stdout=output)
            running[task.id] = (task.claim_token, agent, output)
    time.sleep(poll)
db.execute("SELECT multica_deregister(%s)", [[runtime]])
