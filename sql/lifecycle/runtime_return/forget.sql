DELETE FROM multica_runtime_return AS b WHERE b.runtime_id = ANY ($1)
