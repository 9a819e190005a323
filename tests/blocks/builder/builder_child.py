"""A child process that builds: `python builder_child.py HOME ORDER STAGE [--folder] [--umask MODE]`.

Tells each line of the build as `line TEXT`, then `done STAGE SHA256 SHA256-OF-BYTES`, or `failed TYPE TEXT`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from blocks.builder import Builder, Job, Order, content
from blocks.errors import ReforgeError
from blocks.model import Lock, Recipe

CHILD = Path(__file__).resolve()


def tell(*words: str) -> None:
    """Write a line that is read at once."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("lock", type=Path)
    parser.add_argument("stage", choices=["rootfs", "disk", "pack"])
    parser.add_argument("--folder", action="store_true")
    parser.add_argument("--umask", default="022")
    wanted = parser.parse_args()
    os.umask(int(wanted.umask, 8))
    recipe = Recipe.parse_json(wanted.recipe.read_text("utf-8"))
    order = Order(recipe, Lock.parse_json(wanted.lock.read_text("utf-8")), "9-1")
    builder = Builder(wanted.home, cache_limit=10**12, pool_limit=10**12, tmpfs=not wanted.folder)
    try:
        built = builder.run(wanted.stage, order, Job(report=lambda line: tell("line", line)))
    except ReforgeError as error:
        tell("failed", type(error).__name__, str(error))
        return
    tell("done", wanted.stage, content.sha256(built.checkpoint.path, lambda: None))


if __name__ == "__main__":
    main()
