COMMENT ON FUNCTION multica_sweep_part(text, double precision) IS
$$One part of a sweep, for a procedure that commits after each: multica_sweep_all calls it. What housekeeping meets then
costs no verdict.
part: 'verdicts' begins a sweep, and goes on with the housekeeping where no verdict is to be written; 'housekeeping'
does what is left of the sweep that this session has begun, and begins one where there is none.
stale_secs: as for multica_sweep; NULL is multica.stale_after.
Returns the part to call next, after a COMMIT: 'verdicts', 'housekeeping', or 'none' where nothing is left to do.
Errors: 22004 part is NULL; 22023 part is another word, or stale_secs is not a finite number above 0; 55000 the
  tables are missing; 42501 no privilege on them.
Carries out a part of the server's sweeper.$$;
