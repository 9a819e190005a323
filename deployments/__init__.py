"""Floor 4: the ways in and the places it runs."""
