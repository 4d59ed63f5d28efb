-- Whether install has made what sweeps are counted in: between an update and the install after it there is none.
SELECT to_regclass('multica_sweep_total') IS NOT NULL
