"""Floor 2: the steps of a generation, one verb a module."""
