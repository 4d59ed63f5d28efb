//! `multica`: the lifecycle of AI-agent runtimes and their tasks, inside Postgres.

pgrx::pg_module_magic!(name, version);
