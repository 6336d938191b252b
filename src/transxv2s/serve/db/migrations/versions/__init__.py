"""One step of the tables a file."""
