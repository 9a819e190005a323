"""What runs inside the sandbox, by the toolbox's own Python: the standard library and nothing else."""
