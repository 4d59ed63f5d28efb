-- Never waited for: no row while another sweep holds it. Who writes the row does so in the next statement.
SELECT s.only_row FROM multica_sweep_state AS s FOR UPDATE SKIP LOCKED
