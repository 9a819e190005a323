"""Images, their packages and files, as the command line shows them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from blocks.model import Recipe, Record, Ticket
from blocks.ports import Ports
from tests.calling import Call
from tests.deployments.command_line.conftest import APPLIANCE, BYTES, OLD, package, record

_SHA256 = hashlib.sha256(BYTES).hexdigest()
_KEYS = ["ticket", "user", "appliance", "parent", "state", "policy", "format", "digest", "sha256", "size", "created"]


def test_images_are_listed_oldest_first(reforge: Call, appliance: int, image: int, newer: int, live: Ticket) -> None:
    """Each with the keys that programs rely on; those that are being made are among them."""
    rows = reforge("images", "--json").document
    assert [list(row) for row in rows] == [_KEYS] * 3
    assert [row["ticket"] for row in rows] == [image, newer, live.id]
    assert rows[1] | {"digest": "", "created": ""} == {
        "ticket": newer,
        "user": "alice",
        "appliance": appliance,
        "parent": image,
        "state": "complete",
        "policy": "refresh",
        "format": "qcow2",
        "digest": "",
        "sha256": _SHA256,
        "size": len(BYTES),
        "created": "",
    }


def test_many_images_are_listed_without_reading_their_records_whole(
    reforge: Call, image: int, newer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list takes what it shows from the stored documents: validating hundreds of records takes seconds."""
    monkeypatch.setattr(Record, "parse_json", None)
    monkeypatch.setattr(Recipe, "parse_json", None)
    assert [row["ticket"] for row in reforge("images", "--json").document] == [image, newer]


def test_images_are_narrowed_by_user_and_appliance(reforge: Call, ports: Ports, appliance: int, image: int) -> None:
    """No images of a user is an empty list; an appliance that isn't there or isn't the user's is told."""
    assert [row["ticket"] for row in reforge("images", "alice", appliance, "--json").document] == [image]
    assert reforge("images", "bob", "--json").document == []
    assert reforge("images", "alice", 99).code == 4
    assert reforge("images", "bob", appliance).code == 3
    assert ports.catalog.users.get("bob")


def test_an_image_that_came_without_its_file_has_no_sha256(reforge: Call, ports: Ports, appliance: int) -> None:
    """It is listed, and can neither be read back nor copied."""
    bare = ports.catalog.tickets.adopt(record(appliance, OLD), has_file=False).id
    row = reforge("images", "--json").document[0]
    assert (row["ticket"], row["sha256"], row["size"]) == (bare, None, None)
    assert reforge("verify", "alice", appliance, bare).code == 4
    assert reforge("download", "alice", appliance, bare, "--output", "folder").code == 4


def test_packages_are_those_of_the_lock(reforge: Call, appliance: int, image: int) -> None:
    """Each as the whole document of a package, in the order of their names."""
    rows = reforge("packages", "alice", appliance, image, "--json").document
    assert rows == [each.document() for each in OLD.packages]
    assert {"name", "version", "architecture", "size", "sha256"} <= set(rows[0])


def test_an_image_without_packages_is_told(reforge: Call, live: Ticket) -> None:
    """Before the packages are resolved there is nothing to show."""
    assert reforge("packages", "alice", live.appliance, live.id).code == 4


def test_packages_are_known_as_soon_as_they_are_resolved(reforge: Call, ports: Ports, live: Ticket) -> None:
    """The lock of a running generation is shown."""
    lease = ports.catalog.attempts.begin(live.id, "elsewhere", in_process=True)
    ports.catalog.attempts.write_lock(lease, OLD, record(1, OLD).generation.evidence)
    assert len(reforge("packages", "alice", live.appliance, live.id, "--json").document) == 2


def test_two_images_are_compared(reforge: Call, appliance: int, image: int, newer: int) -> None:
    """What came, went and moved, each by name."""
    document = reforge("diff", "alice", appliance, image, newer, "--json").document
    assert list(document) == ["image", "other", "packages"]
    changes = document["packages"]
    assert changes["added"] == [package("come", "1").document()]
    assert changes["removed"] == [package("gone", "1").document()]
    assert changes["upgraded"] == [{"name": "dash", "from": "0.5-1", "to": "0.5-2", "cves": []}]
    assert (changes["downgraded"], changes["unchanged"]) == ([], 0)
    back = reforge("diff", "alice", appliance, newer, image).out
    assert "downgraded" in back


def test_a_stored_file_is_read_back(reforge: Call, ports: Ports, appliance: int, image: int) -> None:
    """Its own bytes are confirmed, others are an error."""
    document = reforge("verify", "alice", appliance, image, "--json").document
    expected = {"ticket": image, "file": "server.qcow2", "size": len(BYTES), "sha256": _SHA256, "verified": True}
    assert document == expected
    path = Path(ports.store.uri(_SHA256).removeprefix("file://"))
    path.chmod(0o600)
    path.write_bytes(BYTES.replace(b"image", b"IMAGE"))
    answer = reforge("verify", "alice", appliance, image, "--json")
    assert (answer.code, answer.out) == (1, "")


def test_a_download_is_the_files_verified_copy(reforge: Call, appliance: int, image: int, tmp_path: Path) -> None:
    """The folder is made; asking again is fine; another file of that name stays as it is."""
    folder = tmp_path / "new" / "folder"
    arguments = ("download", "alice", appliance, image, "--output", folder, "--json")
    expected = {"file": str(folder / "server.qcow2"), "size": len(BYTES), "sha256": _SHA256}
    assert reforge(*arguments).document == expected
    assert (folder / "server.qcow2").read_bytes() == BYTES
    assert reforge(*arguments).document == expected
    (folder / "server.qcow2").write_bytes(b"mine")
    answer = reforge(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert (folder / "server.qcow2").read_bytes() == b"mine"
    assert [path.name for path in folder.iterdir()] == ["server.qcow2"]


def test_a_plan_says_what_would_happen_and_why(reforge: Call, ports: Ports, appliance: int, image: int) -> None:
    """With the keys that programs rely on, and without making a ticket."""
    plan = reforge("plan", "alice", appliance, image, "--policy", "exact", "--json").document
    assert list(plan) == ["verdict", "reasons", "state", "packages", "stages", "seconds", "basis"]
    assert list(plan["packages"]) == ["added", "removed", "upgraded", "downgraded", "unchanged"]
    assert [stage["name"] for stage in plan["stages"]] == ["rootfs", "disk", "pack"]
    assert {"name", "reuse", "seconds"} <= set(plan["stages"][0])
    assert (plan["verdict"], plan["packages"]["unchanged"], plan["seconds"]) == ("unchanged", 2, 0.0)
    assert len(ports.catalog.tickets.list()) == 1


def test_a_plan_to_rebuild_gives_its_reason(reforge: Call, appliance: int, image: int) -> None:
    """A person reads the verdict and why."""
    out = reforge("plan", "alice", appliance, image, "--policy", "exact", "--rebuild").out
    assert "A rebuild was asked for" in out
    assert APPLIANCE.name not in out
