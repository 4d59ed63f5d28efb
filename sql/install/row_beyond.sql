-- Returns the query that finds a row of table $2 in schema $1 if the table has more than $3 rows.
SELECT format('SELECT FROM %I.%I OFFSET %s', $1, $2, $3)
