-- Never waited for: no row while another sweep holds it. The next statement writes it.
SELECT s.only_row FROM multica_sweep_state AS s FOR UPDATE SKIP LOCKED
