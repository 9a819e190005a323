"""Placeholder until the command line is there."""


def run() -> int:
    """Nothing yet."""
    return 0
