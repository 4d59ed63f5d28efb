"""An application server: requests through PgBouncer in transaction mode, and a forwarder of events beside them.

    DATABASE_URL=… DIRECT_URL=… PORT=8080 python app_server.py
    curl -X POST localhost:8080/enqueue/ISSUE_ID
    curl -X POST localhost:8080/complete/TASK_ID -d '{"output": "Done."}'

Needs pip install 'psycopg[binary,pool]'. DATABASE_URL leads to PgBouncer; DIRECT_URL to Postgres, because LISTEN needs a
connection that stays. What it does with events is to keep a row of each in the table notification, which it creates.
"""
import json
import os
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=4, open=True, kwargs={"prepare_threshold": None})
STATUS = {"P0002": 404, "55000": 409, "55006": 409, "22004": 400, "22023": 400, "22P02": 400}


def enqueue(issue, _):
    with pool.connection() as db:
        task, created = db.execute("SELECT task_id, created FROM multica_enqueue_issue(%s)", [issue]).fetchone()
    return {"task_id": str(task), "created": created}


def complete(task, result):
    """The result and the comment that people read commit together; asked again, it is done already."""
    with pool.connection() as db:
        applied, issue, agent = db.execute(
            "SELECT applied, issue_id, agent_id FROM multica_complete(%s, %s)", [task, Jsonb(result)]
        ).fetchone()
        if applied:
            db.execute(
                "INSERT INTO comment (issue_id, workspace_id, author_type, author_id, content)"
                " SELECT id, workspace_id, 'agent', %s, %s FROM issue WHERE id = %s",
                [agent, result["output"], issue],
            )
    return {"applied": applied}


NOTIFICATION = """CREATE TABLE IF NOT EXISTS notification (
    event_id bigint PRIMARY KEY, kind text NOT NULL, task_id uuid
)"""


def forward_some():
    """What follows from an event is done in the transaction that takes it: once, however often this process dies."""
    with pool.connection() as db:
        events = db.execute("SELECT id, type, payload FROM multica_take_events('notifier', 100)").fetchall()
        for event, kind, payload in events:
            db.execute(
                "INSERT INTO notification (event_id, kind, task_id) VALUES (%s, %s, %s)",
                [event, kind, payload.get("task_id")],
            )
    return bool(events)


def forward():
    try:
        with psycopg.connect(os.environ["DIRECT_URL"], autocommit=True) as direct:
            direct.execute("LISTEN multica_events")
            while True:
                while forward_some():
                    pass
                for _ in direct.notifies(timeout=5, stop_after=1):
                    pass
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # whatever supervises the server starts it again


class Requests(BaseHTTPRequestHandler):
    def do_POST(self):
        calls = {"enqueue": enqueue, "complete": complete}
        _, call, subject = self.path.split("/")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        try:
            status, answer = 200, calls[call](subject, body)
        except psycopg.Error as error:
            status, answer = STATUS.get(error.sqlstate, 500), {"error": str(error)}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


if __name__ == "__main__":
    with psycopg.connect(os.environ["DIRECT_URL"]) as direct:
        direct.execute(NOTIFICATION)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Requests)
    threading.Thread(target=forward, daemon=True).start()
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
