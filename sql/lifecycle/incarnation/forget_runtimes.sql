DELETE FROM multica_runtime_incarnation AS i WHERE i.runtime_id = ANY ($1)
