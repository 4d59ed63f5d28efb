"""A daemon: DATABASE_URL=… python daemon.py WORKSPACE_ID COMMAND…

COMMAND works on one task, in the directory and with the SESSION_ID it is to resume; what it prints is the result. Any
error ends the daemon, and whoever watches over it starts it again: what it ran is then recovered. Linux.
"""
import ctypes, json, os, signal, socket, subprocess, sys, tempfile, time

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

SLOTS, POLL = 4, float(os.environ.get("POLL_SECONDS", 3))
workspace, command, running = sys.argv[1], sys.argv[2:], {}
stopping = []  # Asked between two rounds: raised in the middle of a call, it could end with the connection in pieces.
for ask in signal.SIGTERM, signal.SIGINT:
    signal.signal(ask, lambda *_: stopping.append(True))
db = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row)
machine = {"daemon_id": socket.gethostname(), "recover": True, "runtimes": [{"type": "claude"}]}
runtime = db.execute("SELECT id FROM multica_register(%s, %s)", [workspace, Jsonb(machine)]).fetchone()["id"]


def die_with_daemon():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def begin(task):
    session, place = task["prior_session_id"] or str(task["id"]), task["prior_work_dir"] or tempfile.mkdtemp()
    db.execute("SELECT FROM multica_start(%s, %s)", [task["id"], task["claim_token"]])
    db.execute("SELECT multica_pin_session(%s, %s, %s, %s)", [task["id"], session, place, task["claim_token"]])
    env = os.environ | {"SESSION_ID": session, "TASK": json.dumps(task["context"])}
    output = tempfile.TemporaryFile("w+")
    agent = subprocess.Popen(command, cwd=place, env=env, stdout=output, preexec_fn=die_with_daemon)
    running[task["id"]] = (task, agent, output)


def end(task, agent, output):
    output.seek(0)
    said = output.read()
    call, told = "complete", Jsonb({"output": said})
    if agent.returncode:
        call, told = "fail", said or f"exit status {agent.returncode}"
    db.execute(f"SELECT FROM multica_{call}(%s, %s, claim_token => %s)", [task["id"], told, task["claim_token"]])


def unless_taken_away(step, *work):
    try:
        step(*work)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        print(error, file=sys.stderr)


while not stopping:
    beat = db.execute("SELECT stop_task_ids FROM multica_heartbeat(%s, %s)", [runtime, list(running)]).fetchone()
    for task_id in beat["stop_task_ids"]:
        running.pop(task_id)[1].kill()
    for task_id in [known for known, (_, agent, _) in running.items() if agent.poll() is not None]:
        unless_taken_away(end, *running.pop(task_id))
    for task in db.execute("SELECT * FROM multica_claim(%s, %s)", [runtime, SLOTS - len(running)]).fetchall():
        unless_taken_away(begin, task)
    time.sleep(POLL)
db.execute("SELECT multica_deregister(%s)", [[runtime]])
