SELECT applied FROM multica_start($1, $2)
