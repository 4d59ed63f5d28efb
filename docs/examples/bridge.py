"""A bridge beside a Multica server: it tells the server's Redis what the extension has changed in the database.

    DATABASE_URL=… REDIS_URL=redis://localhost:6379/0 python bridge.py

Needs pip install 'psycopg[binary]' redis. DATABASE_URL leads to Postgres and not to a pooler, because LISTEN needs a connection
that stays. It names a login role with the capability reader, and no other right:
    CREATE ROLE fleet_bridge LOGIN PASSWORD '…'; SELECT multica_grant('fleet_bridge', 'reader');

For each event, in this order:
  1. INCR of the version key of each runtime that the event is about. The server then no longer believes what it has cached: that
     this runtime has no work. VERSION_KEY is the name of the key, with the word RUNTIME where the id of the runtime is.
  2. XADD to the stream multica:events, which keeps about the last 100,000 events. There is no error text in them, because an
     agent may have printed a password.
  3. PUBLISH of the runtime's id on the channel multica:wake, for a process that can wake daemons.

The position of the reader is committed afterwards. So after a crash, or an error of Redis, the same events are sent again, and
none is left out. Who reads the stream passes over ids that are not above the last one. Two bridges may run at the same time:
each event is taken by one of them.

Errors of Redis and lost connections are reported and tried again. A wrong setting or a missing privilege ends the bridge, and
so does a log from which events after its position were removed.
"""
import os
import signal
import sys
import threading

import psycopg
import redis

READER = "bridge"
BATCH = 100
POLL_SECONDS = 1  # How long it waits for a notification.
FIRST_DELAY, LONGEST_DELAY = 0.1, 10  # Seconds between attempts; each delay is twice the one before.
REDIS_TIMEOUT = 5  # Seconds. Meanwhile a transaction of the bridge is open.

VERSION_KEY = os.environ.get("VERSION_KEY", "mul:claim:runtime:version:RUNTIME")
VERSION_SECONDS = 24 * 60 * 60  # The server, too, keeps a version key for a day after its last use.
STREAM, STREAM_LENGTH = "multica:events", 100_000
CHANNEL = "multica:wake"

# An issue and an autopilot run are on no runtime, and a task that has ended may have lost its own. Payloads stay text, because
# the context of a task may be nested more deeply than Python can parse.
TAKE = """SELECT id, type, workspace_id, (payload - 'error')::text, CASE type
        WHEN 'daemon:register' THEN payload -> 'runtime_ids'
        WHEN 'agent:status' THEN jsonb_build_array(payload #> '{agent,runtime_id}')
        ELSE jsonb_build_array(payload -> 'runtime_id')
    END
FROM multica_take_events(%s, %s)"""
# The words of errors after which events are missing.
GAPS = {"events_trimmed", "log_restarted"}
GAP = f"""{{}}
Events that this bridge had not taken are gone. Begin with the oldest event that is kept:
    SELECT multica_forget_reader('{READER}');
Then start the bridge again. What Redis was not told is forgotten there after three minutes."""


def forward(db, cache):
    """Sends the next events to Redis, and commits the position after them. Returns how many there were."""
    with db.transaction():
        events = db.execute(TAKE, [READER, BATCH]).fetchall()
        if events:
            tell(cache, events)
    return len(events)


def tell(cache, events):
    """Sends events to Redis in one MULTI, so that none is in the stream before an earlier one."""
    commands = cache.pipeline(transaction=True)
    awake = set()
    for event, kind, workspace, payload, runtimes in events:
        for runtime in filter(None, runtimes):
            key = VERSION_KEY.replace("RUNTIME", runtime)
            commands.incr(key)
            commands.expire(key, VERSION_SECONDS)
            awake.add(runtime)
        entry = {"id": event, "type": kind, "workspace_id": str(workspace or ""), "payload": payload}
        commands.xadd(STREAM, entry, maxlen=STREAM_LENGTH, approximate=True)
    for runtime in awake:
        commands.publish(CHANNEL, runtime)
    commands.execute()


def run(cache, stopping):
    """Forwards events until it is to stop. After an error it begins again with a new connection."""
    delay = FIRST_DELAY
    while not stopping.is_set():
        try:
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
                db.execute("LISTEN multica_events")
                while not stopping.is_set():
                    events = forward(db, cache)
                    delay = FIRST_DELAY
                    if not events:
                        for _ in db.notifies(timeout=POLL_SECONDS, stop_after=1):
                            pass
        except (psycopg.OperationalError, psycopg.InternalError, redis.RedisError) as error:
            if isinstance(error, psycopg.Error) and error.diag.constraint_name in GAPS:
                sys.exit(GAP.format(error))
            print(f"trying again in {delay} s: {error}", file=sys.stderr, flush=True)
            stopping.wait(delay)
            delay = min(2 * delay, LONGEST_DELAY)


def main():
    for name in "DATABASE_URL", "REDIS_URL":
        if name not in os.environ:
            sys.exit(f"{name} is not set\n\n{__doc__}")
    if "RUNTIME" not in VERSION_KEY:
        sys.exit(f"VERSION_KEY is {VERSION_KEY!r}, without the word RUNTIME")
    stopping = threading.Event()
    for number in signal.SIGTERM, signal.SIGINT:  # No exception, which could interrupt a transaction.
        signal.signal(number, lambda *_: stopping.set())
    try:
        cache = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=REDIS_TIMEOUT)
    except ValueError as error:
        sys.exit(f"REDIS_URL: {error}")
    try:
        run(cache, stopping)
    except psycopg.Error as error:  # Not of a connection: a wrong DATABASE_URL, a missing privilege or function.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
