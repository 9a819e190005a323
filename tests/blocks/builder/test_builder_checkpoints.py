from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from blocks.builder import Job
from blocks.builder.checkpoints import Checkpoint, Checkpoints
from blocks.errors import Stopped
from blocks.stop import StopToken
from tests.blocks.builder.conftest import Lines, Start
from tests.blocks.builder.small_archive import damage

BYTES = 1024 * 1024
DIGEST = "d" * 64


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    """An empty folder of checkpoints with room for three of a mebibyte."""
    return Checkpoints(tmp_path, 3 * BYTES + BYTES // 2)


def output(letter: bytes) -> Callable[[Path], Mapping[str, int]]:
    """What writes a mebibyte of one letter."""

    def make(folder: Path) -> Mapping[str, int]:
        (folder / "data").write_bytes(letter * BYTES)
        return {"epoch": 7}

    return make


def keep(checkpoints: Checkpoints, digest: str = DIGEST, letter: bytes = b"a") -> Checkpoint:
    """Make an entry and publish it."""
    made, partial = checkpoints.keep("rootfs", digest, output(letter), Job())
    return checkpoints.publish(made, partial)


def test_nothing_is_found_in_an_empty_folder(checkpoints: Checkpoints) -> None:
    """A digest that was never made is a miss."""
    assert not checkpoints.has("rootfs", DIGEST)
    assert checkpoints.find("rootfs", DIGEST, Job()) is None


def test_what_was_published_is_found(checkpoints: Checkpoints) -> None:
    """A published entry is found with its bytes and facts, under its own stage only."""
    made = keep(checkpoints)
    assert checkpoints.find("rootfs", DIGEST, Job()) == made
    assert made.path.read_bytes() == b"a" * BYTES
    assert made.facts == {"epoch": 7}
    assert checkpoints.find("disk", DIGEST, Job()) is None


def test_what_is_not_published_is_invisible(checkpoints: Checkpoints) -> None:
    """An entry that is made and not yet published is found by nobody."""
    checkpoints.keep("rootfs", DIGEST, output(b"a"), Job())
    assert checkpoints.find("rootfs", DIGEST, Job()) is None


HARMS: dict[str, Callable[[Path], object]] = {
    "byte": lambda entry: damage(entry / "data"),
    "cut": lambda entry: os.truncate(entry / "data", BYTES // 2),
    "no data": lambda entry: (entry / "data").unlink(),
    "no manifest": lambda entry: (entry / "manifest.json").unlink(),
    "bad manifest": lambda entry: (entry / "manifest.json").write_text("[]", "utf-8"),
    "empty manifest": lambda entry: (entry / "manifest.json").write_text("", "utf-8"),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_damaged_entry_is_a_miss(checkpoints: Checkpoints, harm: Callable[[Path], object], lines: Lines) -> None:
    """A damaged entry is told or silently dropped, never an error: it is removed and can be made again."""
    made = keep(checkpoints)
    harm(made.path.parent)
    assert checkpoints.find("rootfs", DIGEST, lines.job()) is None
    assert not made.path.parent.exists()
    assert keep(checkpoints).path.read_bytes() == b"a" * BYTES


def test_a_failed_make_leaves_nothing(checkpoints: Checkpoints, tmp_path: Path) -> None:
    """If making fails its error comes through and no folder stays."""

    def fail(folder: Path) -> Mapping[str, int]:
        (folder / "data").write_bytes(b"half")
        raise Stopped("Stopped")

    with pytest.raises(Stopped):
        checkpoints.keep("rootfs", DIGEST, fail, Job())
    assert list(tmp_path.glob("partial-*")) == []


def test_the_first_published_stays(checkpoints: Checkpoints, tmp_path: Path) -> None:
    """A second output of the same digest never replaces the first."""
    first = keep(checkpoints, letter=b"a")
    second = keep(checkpoints, letter=b"b")
    assert second == first
    assert first.path.read_bytes() == b"a" * BYTES
    assert list(tmp_path.glob("partial-*")) == []


def test_the_longest_unused_goes_first(checkpoints: Checkpoints) -> None:
    """Above the limit the entry that was used longest ago is removed; looking an entry up is using it."""
    for age, letter in enumerate("123"):
        entry = keep(checkpoints, letter * 64).path.parent
        os.utime(entry, (1000 + age, 1000 + age))
    assert checkpoints.find("rootfs", "1" * 64, Job())
    keep(checkpoints, "4" * 64)
    assert [letter for letter in "1234" if checkpoints.has("rootfs", letter * 64)] == ["1", "3", "4"]


def test_the_newest_stays_above_any_limit(tmp_path: Path) -> None:
    """An entry that alone is larger than the limit stays until the next one comes."""
    small = Checkpoints(tmp_path, 1)
    keep(small, "1" * 64)
    assert small.has("rootfs", "1" * 64)
    keep(small, "2" * 64)
    assert [letter for letter in "12" if small.has("rootfs", letter * 64)] == ["2"]


def test_what_is_read_stays(checkpoints: Checkpoints) -> None:
    """An entry that is held isn't trimmed; the next one in age goes instead."""
    entries = [keep(checkpoints, letter * 64) for letter in "123"]
    for age, entry in enumerate(entries):
        os.utime(entry.path.parent, (1000 + age, 1000 + age))
    with checkpoints.held(entries[0]):
        keep(checkpoints, "4" * 64)
    assert [letter for letter in "1234" if checkpoints.has("rootfs", letter * 64)] == ["1", "3", "4"]


def test_holding_what_is_gone_says_so(checkpoints: Checkpoints) -> None:
    """An entry that was trimmed before it could be held is told to be gone."""
    made = keep(checkpoints)
    damage(made.path)
    checkpoints.find("rootfs", DIGEST, Job())
    with pytest.raises(FileNotFoundError), checkpoints.held(made):
        pass


def test_trimming_survives_a_bad_manifest(checkpoints: Checkpoints) -> None:
    """A manifest that can't be read keeps nobody from trimming."""
    bad = keep(checkpoints, "1" * 64).path.parent
    (bad / "manifest.json").write_text("", "utf-8")
    os.utime(bad, (1000, 1000))
    for letter in "234":
        keep(checkpoints, letter * 64)
    assert not bad.exists()


def test_waiting_for_another_can_be_stopped(checkpoints: Checkpoints) -> None:
    """Whoever waits until another has made a digest hears the stop token."""
    stop = StopToken()
    with checkpoints.building(DIGEST, Job()):
        stop.set("cancelled")
        with pytest.raises(Stopped), checkpoints.building(DIGEST, Job(stop)):
            pass


_BUILD = """
import sys
from pathlib import Path
from blocks.builder import Job
from blocks.builder.checkpoints import Checkpoints

digest = "d" * 64
checkpoints = Checkpoints(Path(sys.argv[1]), 10**9)

def make(folder):
    print("making", flush=True)
    sys.stdin.readline()
    (folder / "data").write_text("made by " + sys.argv[2])
    return {}

print("asking", flush=True)
with checkpoints.building(digest, Job()):
    found = checkpoints.find("rootfs", digest, Job())
    if found is None:
        found = checkpoints.publish(*checkpoints.keep("rootfs", digest, make, Job()))
print(found.path.read_text(), flush=True)
"""


def test_two_who_want_one_digest_make_it_once(tmp_path: Path, start: Start) -> None:
    """Of two processes that need the same digest one makes it, the other waits and takes what was made."""
    first = start("-c", _BUILD, str(tmp_path), "first")
    assert first.stdout is not None
    assert [first.stdout.readline() for _ in range(2)] == ["asking\n", "making\n"]
    second = start("-c", _BUILD, str(tmp_path), "second")
    assert second.stdout is not None
    assert second.stdout.readline() == "asking\n"
    told, _ = first.communicate("go on\n")
    assert told == "made by first\n"
    assert second.communicate()[0] == "made by first\n"


def test_a_killed_maker_leaves_the_digest_to_others(checkpoints: Checkpoints, tmp_path: Path, start: Start) -> None:
    """A process that is killed while making lets go of the digest; what it left is swept, a living one's is not."""
    child = start("-c", _BUILD, str(tmp_path), "killed")
    assert child.stdout is not None
    assert [child.stdout.readline() for _ in range(2)] == ["asking\n", "making\n"]
    assert checkpoints.sweep(psutil.pid_exists) == ()
    child.kill()
    child.wait()
    with checkpoints.building(DIGEST, Job()):
        assert checkpoints.find("rootfs", DIGEST, Job()) is None
    assert len(checkpoints.sweep(psutil.pid_exists)) == 1
    assert list(tmp_path.glob("partial-*")) == []
