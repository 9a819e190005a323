"""Records as files that travel."""

from __future__ import annotations

from pathlib import Path

from blocks.model import Record
from blocks.ports import Ports
from tests.calling import Call


def test_an_exported_record_becomes_an_image_of_whoever_imports_it(
    reforge: Call, ports: Ports, appliance: int, image: int, tmp_path: Path
) -> None:
    """The file is the record; its import names user, appliance and image."""
    exported = reforge("record", "export", "alice", appliance, image, "--output", "server.json", "--json").document
    assert list(exported) == ["image", "file", "size"]
    original = ports.catalog.tickets.record(image)
    assert original == Record.parse_json((tmp_path / "server.json").read_bytes())
    imported = reforge("record", "import", "server.json", "--user", "alice", "--json").document
    assert list(imported) == ["user", "appliance", "image"]
    assert (imported["user"], imported["appliance"]) == ("alice", appliance)
    again = ports.catalog.tickets.record(imported["image"])
    assert original is not None
    assert again is not None
    assert again.generation == original.generation


def test_a_record_is_imported_only_for_who_may(
    reforge: Call, ports: Ports, appliance: int, image: int, tmp_path: Path
) -> None:
    """Exit code 3 for all others and for somebody else's appliance, and no ticket."""
    reforge("record", "export", "alice", appliance, image, "--output", "server.json")
    ports.catalog.users.add("erin", ("appliance_create",))
    for user in ("nobody", "bob", "carol", "dave"):
        assert reforge("record", "import", "server.json", "--user", user).code == 3
    assert reforge("record", "import", "server.json", "--user", "erin", "--appliance", appliance).code == 3
    assert len(ports.catalog.tickets.list()) == 1
    assert (tmp_path / "server.json").exists()


def test_what_is_no_record_is_refused(reforge: Call, ports: Ports, tmp_path: Path) -> None:
    """Exit code 2, and no ticket."""
    (tmp_path / "bad.json").write_text("{}")
    assert reforge("record", "import", "bad.json", "--user", "alice").code == 2
    assert ports.catalog.tickets.list() == []


def test_package_files_that_the_store_lacks_are_told(reforge: Call, appliance: int, image: int) -> None:
    """Exit code 4 rather than a tar with holes."""
    arguments = ("record", "export", "alice", appliance, image, "--output", "server.tar", "--with-packages")
    assert reforge(*arguments).code == 4
