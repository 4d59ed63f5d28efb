SELECT swept.more FROM multica_sweep(NULL::double precision) AS swept
