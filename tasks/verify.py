"""Step verify: read the stored file back and see that it is what was built."""

from __future__ import annotations

from blocks.model import ImageFile
from tasks import present
from tasks.attempt import Attempt
from tasks.step import step


@step("verify", minutes=60, tag="store")
def verify(attempt: Attempt, file: ImageFile) -> ImageFile:
    """The file itself; raises CorruptFile if the store gives back other bytes."""
    attempt.advance("verifying", 90, "verify", "Reading the stored image back")
    present.progress(attempt, 90, "verify")
    with attempt.at("verify") as working:
        attempt.ports.store.verify(file.sha256, file.size, working)
    return file
