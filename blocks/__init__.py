"""Floor 1: the ports (catalog, store, builder) and the vocabulary they share."""
