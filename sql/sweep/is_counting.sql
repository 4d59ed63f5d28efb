-- Whether install has made the table of totals: between an update and the install after it there is none.
SELECT to_regclass('multica_sweep_total') IS NOT NULL
