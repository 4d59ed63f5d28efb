SELECT pg_catalog.set_config('multica.batch_size', $1, true)
