"""Appliances as YAML, out and in again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocks.model import Appliance, InstallProfile
from blocks.model import File as TextFile
from blocks.ports import Ports
from deployments.command_line.appliances import written
from tests.calling import Call
from tests.deployments.command_line.conftest import APPLIANCE

_KEYS = ["id", "user", "name", "version", "revision"]
_SCRIPT = "#!/bin/sh\n  set -e\n\necho 'Grüße: #1' \\\n\t> /etc/motd  \n"


def test_an_export_is_imported_as_the_same_appliance(
    reforge: Call, ports: Ports, appliance: int, tmp_path: Path
) -> None:
    """By file and by standard output, as YAML and as JSON, for the same user and for another."""
    exported = reforge("appliance", "export", appliance, "--output", "server.yaml", "--json").document
    assert list(exported) == [*_KEYS, "file"]
    (tmp_path / "out.yaml").write_text(reforge("appliance", "export", appliance).out)
    (tmp_path / "out.json").write_text(reforge("appliance", "export", appliance, "--json").out)
    for name in ("server.yaml", "out.yaml", "out.json"):
        again = reforge("appliance", "import", name, "--user", "alice", "--json").document
        assert list(again) == _KEYS
        assert (again["id"], again["revision"]) == (appliance, 1)
    assert ports.catalog.appliances.get(appliance).appliance == APPLIANCE


def test_a_changed_import_raises_the_revision(reforge: Call, ports: Ports, appliance: int, tmp_path: Path) -> None:
    """The appliance keeps its number, and the list shows it."""
    document = APPLIANCE.document() | {"policy": "exact"}
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(document))
    again = reforge("appliance", "import", "changed.yaml", "--user", "alice", "--json").document
    assert (again["id"], again["revision"]) == (appliance, 2)
    assert reforge("appliance", "list", "--json").document == [again]
    assert ports.catalog.appliances.get(appliance).appliance.policy == "exact"


def test_who_may_not_own_appliances_is_denied(reforge: Call, ports: Ports, tmp_path: Path) -> None:
    """Exit code 3, and nothing is stored."""
    (tmp_path / "server.yaml").write_text(yaml.safe_dump(APPLIANCE.document()))
    for user in ("nobody", "bob", "carol", "dave"):
        assert reforge("appliance", "import", "server.yaml", "--user", user).code == 3
    assert ports.catalog.appliances.list() == []


@pytest.mark.parametrize(
    "text",
    ["name: [", "name: a\nunknown: 1\n", "- a list\n", "\x00", "name: !!python/none x\n", "a: 2024-13-45\n"],
)
def test_what_is_no_appliance_is_refused(reforge: Call, ports: Ports, tmp_path: Path, text: str) -> None:
    """Exit code 2, the file's name, and what is wrong with it."""
    (tmp_path / "bad.yaml").write_text(text)
    answer = reforge("appliance", "import", "bad.yaml", "--user", "alice")
    assert answer.code == 2
    assert "bad.yaml" in answer.err
    assert ports.catalog.appliances.list() == []


def test_an_appliance_that_is_not_there_is_not_exported(reforge: Call) -> None:
    """Exit code 4."""
    assert reforge("appliance", "export", 99).code == 4


def test_texts_of_several_lines_are_written_as_such() -> None:
    """A person can read and edit a script in the export."""
    lines = "#!/bin/sh\nset -e\necho done\n"
    document = _with_file(lines).document()
    assert "    content: |\n      #!/bin/sh\n      set -e\n" in written(document)


@given(st.one_of(st.just(_SCRIPT), st.text(st.characters(codec="utf-8", exclude_characters="\x00"))))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_text_survives_the_export(text: str) -> None:
    """Whatever characters a file in the image has, the export gives them back."""
    made = _with_file(text)
    assert Appliance.parse(yaml.safe_load(written(made.document()))) == made


def _with_file(text: str) -> Appliance:
    return Appliance(name="server", install_profile=InstallProfile(files=(TextFile(path="/etc/x", content=text),)))
