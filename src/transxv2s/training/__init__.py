"""Training on Lightning: a recipe (YAML) becomes a run folder with a self-describing checkpoint."""
