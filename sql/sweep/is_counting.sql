-- Whether install has made the table of totals, which does not exist between an update and the install after it.
SELECT to_regclass('multica_sweep_total') IS NOT NULL
