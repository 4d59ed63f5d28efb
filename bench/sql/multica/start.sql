SELECT applied FROM multica_start(:id, :token)
