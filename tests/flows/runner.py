"""A flow in a process of its own, so that it can be cancelled, interrupted or killed as a real one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_REGENERATE = """
import sys
from flows.regenerate import regenerate_image
state = regenerate_image({user!r}, {appliance}, {image}, rebuild=True, return_state=True)
print(state.type.value)
"""


@contextmanager
def regenerating(user: str, appliance: int, image: int) -> Iterator[subprocess.Popen[str]]:
    """A process that regenerates an image with a rebuild, and prints the run's last state."""
    program = _REGENERATE.format(user=user, appliance=appliance, image=image)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
