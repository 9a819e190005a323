"""The stage pack, as it runs inside the sandbox: the raw disk in its target format, compressed or not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from blocks.builder.programs import command

SOURCE = Path("/input/disk.raw")
TARGET = Path("/output/image")


def main() -> None:
    """Read the specification from standard input and make the image file."""
    wanted = json.load(sys.stdin)
    os.umask(0o022)
    command.run([part.format(source=SOURCE, target=TARGET) for part in wanted["argv"]])


if __name__ == "__main__":
    main()
