-- Groups the ids by hundred, as a machine or an application server would send them.
CREATE TABLE batch AS
SELECT n / 100 + 1 AS n, array_agg(id) AS ids
FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM agent_runtime) AS r
GROUP BY 1;
ALTER TABLE batch ADD PRIMARY KEY (n);
VACUUM (ANALYZE) agent_runtime, batch
