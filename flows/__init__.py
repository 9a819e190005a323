"""Floor 3: the stories, one a module, each told in the order in which things happen."""
