"""An application server: it answers requests through PgBouncer in transaction mode, and a thread acts on events.

    DATABASE_URL=… DIRECT_URL=… PORT=8080 python app_server.py
    curl -X POST localhost:8080/enqueue/ISSUE_ID
    curl -X POST localhost:8080/complete/TASK_ID -d '{"output": "Done."}'

Needs pip install 'psycopg[binary,pool]'. DATABASE_URL leads to PgBouncer. DIRECT_URL leads to Postgres, because LISTEN needs a
connection that stays. Both name a login role with the capability operator, which may also read issues and write comments. It
has a schema of its own for the table notification, into which the thread writes a row per event:
    CREATE ROLE fleet_server LOGIN PASSWORD '…'; SELECT multica_grant('fleet_server', 'operator');
    GRANT SELECT ON issue TO fleet_server; GRANT INSERT ON comment TO fleet_server;
    CREATE SCHEMA AUTHORIZATION fleet_server;

It asks nobody who they are: put it behind something that does.
"""
import json
import os
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

# PgBouncer may run the next transaction on another connection, which does not have the prepared statement.
pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=4, open=True, kwargs={"prepare_threshold": None})

NOTIFICATION = """CREATE TABLE IF NOT EXISTS notification (
    event_id bigint PRIMARY KEY, kind text NOT NULL, task_id uuid
)"""
# Of the errors that a client can do something about.
STATUS = {"P0002": 404, "55000": 409, "55006": 409, "22004": 400, "22023": 400, "22P02": 400, "22P05": 400}


class BadRequest(Exception):
    """A request that is wrong whatever the database has."""


def enqueue(issue, _):
    """Queues a task for the agent of an issue. A repeated request returns the same task."""
    with pool.connection() as db:
        task, created = db.execute("SELECT task_id, created FROM multica_enqueue_issue(%s)", [issue]).fetchone()
    return {"task_id": str(task), "created": created}


def complete(task, result):
    """Completes a task. The result and the comment that people read commit together; a repeated request changes nothing."""
    if not isinstance(result, dict) or not isinstance(result.get("output"), str):
        raise BadRequest('the body must be a JSON object with the text "output"')
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


CALLS = {"enqueue": enqueue, "complete": complete}


def take_events():
    """Acts on events in the transaction that takes them: once per event, however often this process is killed."""
    with pool.connection() as db:
        events = db.execute("SELECT id, type, payload FROM multica_take_events('notifier', 100)").fetchall()
        for event, kind, payload in events:
            db.execute(
                "INSERT INTO notification (event_id, kind, task_id) VALUES (%s, %s, %s)",
                [event, kind, payload.get("task_id")],
            )
    return bool(events)


def forward_events():
    """Takes events until there are none, then waits for a notification. It also looks every five seconds without one."""
    try:
        with psycopg.connect(os.environ["DIRECT_URL"], autocommit=True) as direct:
            direct.execute("LISTEN multica_events")
            while True:
                while take_events():
                    pass
                for _ in direct.notifies(timeout=5, stop_after=1):
                    pass
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # A supervisor starts the server again.


class Requests(BaseHTTPRequestHandler):
    def do_POST(self):
        status, answer = self.answer()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def answer(self):
        """Returns the HTTP status and what is sent with it."""
        call, _, subject = self.path.removeprefix("/").partition("/")
        if call not in CALLS:
            return 404, {"error": "the calls are POST /enqueue/ISSUE_ID and POST /complete/TASK_ID"}
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return 200, CALLS[call](subject, json.loads(body or "null"))
        except BadRequest as error:
            return 400, {"error": str(error)}
        except ValueError as error:
            return 400, {"error": f"the body is not JSON: {error}"}
        except psycopg.Error as error:
            return STATUS.get(error.sqlstate, 500), {"error": str(error)}


def main():
    with psycopg.connect(os.environ["DIRECT_URL"]) as direct:
        direct.execute(NOTIFICATION)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Requests)
    threading.Thread(target=forward_events, daemon=True).start()
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
