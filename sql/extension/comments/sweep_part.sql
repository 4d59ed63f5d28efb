COMMENT ON FUNCTION multica_sweep_part(text, double precision) IS
$$One part of a sweep, for a procedure that commits after each: multica_sweep_all calls it. An error of housekeeping
then loses no verdict.
part: 'verdicts' begins a sweep, and includes the housekeeping if no verdict is to be written; 'housekeeping' ends
the sweep that this session has begun, or begins one.
stale_secs: as for multica_sweep; NULL is multica.stale_after.
Returns the part to call next, after a COMMIT: 'verdicts', 'housekeeping', or 'none' if nothing is left to do.
Errors: 22004 part is NULL; 22023 part is another word, or stale_secs is not a finite number above 0; 55000 the
  tables are missing; 42501 no privilege on them.
Carries out a part of the server's sweeper.$$;
