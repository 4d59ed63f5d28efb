COMMENT ON FUNCTION multica_sweep_part(text, double precision) IS
$$Runs one part of a sweep, for a procedure that commits after each part: multica_sweep_all calls it. An error in
housekeeping then undoes no verdict.
part: 'verdicts' starts a sweep, and continues with the housekeeping if there is no verdict to write; 'housekeeping' does
  the rest of the sweep that this session has started, and starts a new one if there is none.
stale_secs: as for multica_sweep; NULL (the default) means multica.stale_after.
Returns the part to call next, after a COMMIT: 'verdicts', 'housekeeping', or 'none' if nothing is left to do.
Errors: 22004 part is NULL; 22023 part is not one of these words, or stale_secs is not a finite number above 0; 55000
  (install_needed) the tables are missing; 0A000 (unsupported_feature) the call does not work yet with a feature of the
  tables; 42501 a privilege on the tables is missing.
Implements a part of the server's sweeper.$$;
