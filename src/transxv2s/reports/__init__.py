"""HTML reports: one file each, without a script or an outside resource, to be read, printed and sent."""
