"""`transxv2s serve`: findings, the worklist of referred cases and the record of what experts said of them."""
