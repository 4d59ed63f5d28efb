// graphile-worker 0.17.3. Makes its schema in the database given as the first argument and prints, as one JSON object, the
// statements with which its worker takes and completes jobs; the second argument is the batch. Jobs are in no named queue, so
// nothing serializes them; prepared statements are on (its default). Unbatched it is given one job a fetch, batched its local
// queue (localQueue.size), batched completion (completeJobBatchDelay) and add_jobs.
// https://worker.graphile.org/docs/performance
// Completed jobs are deleted: there is no history to keep, and no step between claim and end.
import { createRequire } from "node:module";

const [connectionString, batch] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/package.json`);
const { makeWorkerUtils } = require("graphile-worker");
const folder = require.resolve("graphile-worker").replace(/index\.js$/, "sql/");
const { batchGetJobs } = require(`${folder}getJobs.js`);
const { batchCompleteJobs } = require(`${folder}completeJobs.js`);

const utils = await makeWorkerUtils({ connectionString });
await utils.migrate();
await utils.addJob("bench", { n: 1 });
const { rows } = await utils.withPgClient((client) =>
  client.query("SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'bench'"),
);
await utils.withPgClient((client) => client.query("DELETE FROM graphile_worker._private_jobs"));
await utils.release();

const options = {
  escapedWorkerSchema: "graphile_worker",
  workerSchema: "graphile_worker",
  resolvedPreset: { worker: { preparedStatements: true, useNodeTime: false } },
  _rawOptions: {},
};
// The library's own code builds each statement; instead of a client it is given somebody who writes it down.
async function written(build) {
  let text;
  const client = { query: async (query) => ((text = query.text), { rows: [] }) };
  const lend = (callback) => callback(client);
  lend.withRetries = lend;
  await build(lend);
  return text;
}
const details = { bench: () => {} };
const taskIdentifiers = require(folder.replace(/sql\/$/, "taskIdentifiers.js"));
taskIdentifiers.getTaskDetails = () => ({
  taskIds: [rows[0].id],
  supportedTaskIdentifierByTaskId: { [rows[0].id]: "bench" },
});
const claim = async (size) =>
  (await written((lend) => batchGetJobs(options, lend, details, "worker", null, size)))
    .replaceAll("$1::text", ":worker::text")
    .replaceAll("$2::int[]", `'{${rows[0].id}}'::int[]`);
const complete = async (jobs) =>
  written((lend) => batchCompleteJobs(options, lend, "worker", jobs));
const job = { id: "1", job_queue_id: null };
console.log(
  JSON.stringify({
    enqueue: "SELECT id FROM graphile_worker.add_job('bench', '{\"n\": 1}'::json)",
    enqueue_many: `SELECT id FROM graphile_worker.add_jobs(ARRAY(
      SELECT json_populate_record(NULL::graphile_worker.job_spec, json_build_object('identifier', 'bench', 'payload', json_build_object('n', n)))
      FROM generate_series(1, :count::bigint) AS n))`,
    claim: await claim(1),
    claim_many: await claim(Number(batch)),
    complete: (await complete([job])).replaceAll("$1::bigint", ":id::bigint"),
    complete_many: (await complete([job, job])).replaceAll("$1::bigint[]", ":ids::bigint[]"),
    workers: "SELECT 'worker-' || n FROM generate_series(1, 32) AS n",
    backlog: `SELECT graphile_worker.add_job('bench', '{"n": 1}'::json) FROM generate_series(1, $1::bigint)`,
  }),
);
