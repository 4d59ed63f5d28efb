// pg-boss 12.30.0. Makes its schema and a queue in the database given as the first argument and prints, as one JSON object,
// the statements with which it inserts, fetches and completes jobs; the second argument is the batch. A queue of policy
// standard with a table of its own (partition), which its documentation recommends for a queue of much traffic. Unbatched
// it is given one job a fetch; batched fetch with batchSize, insert with an array, complete with an array.
// https://timgit.github.io/pg-boss/#/./api/queues and .../api/jobs
// Completed jobs are kept until its maintenance deletes them, so history is; no step between claim and end.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [connectionString, batch] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/package.json`);
const folder = `${process.cwd()}/node_modules/pg-boss/`;
const plans = await import(`${folder}dist/plans.js`);
const { Client } = require("pg");
const schema = "pgboss";
const { pgboss } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));

const client = new Client({ connectionString });
await client.connect();
await client.query(plans.create(schema, pgboss.schema, { createSchema: true }));
await client.query(plans.createQueue(schema, "bench", { policy: "standard", partition: true }));
const { rows } = await client.query("SELECT table_name, policy FROM pgboss.queue WHERE name = 'bench'");
await client.end();

const table = rows[0].table_name;
const name = "bench";
const claim = (limit) =>
  plans.fetchNextJob({ schema, table, name, policy: rows[0].policy, limit, includeMetadata: false }).text;
const insert = plans.insertJobs(schema, { table, name, returnId: true });
const jobs = (count) =>
  insert.replace("$1::json", `(SELECT json_agg(json_build_object('data', json_build_object('n', n))) FROM generate_series(1, ${count}) AS n)`);
const complete = (ids) =>
  plans
    .completeJobs(schema, table, false)
    .replaceAll("$1", "'bench'")
    .replaceAll("$2::uuid[]", ids)
    .replaceAll("$3::jsonb", `'{"ok": true}'::jsonb`);
const load = (state, at, count) =>
  `INSERT INTO pgboss.${table} (name, data, state, policy, started_on, completed_on, output, keep_until, expire_seconds, deletion_seconds, retry_limit, retry_delay)
   SELECT q.name, '{"n": 1}', '${state}', q.policy, ${at}, ${at}, '{"ok": true}', now() + interval '14 days', q.expire_seconds, q.deletion_seconds, q.retry_limit, q.retry_delay
   FROM pgboss.queue AS q CROSS JOIN generate_series(1, ${count}) WHERE q.name = 'bench'`;
console.log(
  JSON.stringify({
    enqueue: jobs("1"),
    enqueue_many: jobs(":count::bigint"),
    claim: claim(1),
    claim_many: claim(Number(batch)),
    complete: complete("ARRAY[:id::uuid]"),
    complete_many: complete(":ids::uuid[]"),
    workers: "SELECT n::bigint FROM generate_series(1, 32) AS n",
    backlog: jobs("$1::bigint"),
    history: load("completed", "now()", "$1::bigint"),
  }),
);
