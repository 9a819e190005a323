"""The API that the user named wins over a server of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blocks.errors import PrefectUnavailable
from deployments.embedded import server
from deployments.embedded.client import _refresh
from deployments.embedded.named import named_address

NOBODY = "http://127.0.0.1:9/api"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and a Prefect home without any file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))


def test_nothing_is_named_by_default() -> None:
    """Without variable and file no API is named."""
    assert named_address() is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".env", f"PREFECT_API_URL={NOBODY}"),
        ("prefect.toml", f'[api]\nurl = "{NOBODY}"'),
        ("pyproject.toml", f'[tool.prefect.api]\nurl = "{NOBODY}"'),
        ("prefect/profiles.toml", f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{NOBODY}"'),
    ],
)
def test_prefect_s_files_name_an_api(tmp_path: Path, file: str, content: str) -> None:
    """Each file that Prefect reads may name the API."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    assert named_address() == NOBODY


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable outweighs a file."""
    (tmp_path / "prefect.toml").write_text('[api]\nurl = "http://127.0.0.1:10/api"')
    monkeypatch.setenv("PREFECT_API_URL", NOBODY)
    assert named_address() == NOBODY


def test_a_profile_that_comes_with_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PREFECT_PROFILE=local` names Prefect's usual address, though the user has no profiles of their own."""
    monkeypatch.setenv("PREFECT_PROFILE", "local")
    assert named_address() == "http://127.0.0.1:4200/api"


def test_an_inactive_profile_names_nothing(tmp_path: Path) -> None:
    """Only the active profile counts."""
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "profiles.toml").write_text(
        f'active = "ephemeral"\n[profiles.ephemeral]\n[profiles.other]\nPREFECT_API_URL = "{NOBODY}"'
    )
    assert named_address() is None


def test_an_unreadable_file_names_nothing(tmp_path: Path) -> None:
    """A broken file is Prefect's to complain about."""
    (tmp_path / "prefect.toml").write_text("[api")
    assert named_address() is None


@pytest.mark.flow
def test_a_named_api_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead API is an error that tells where and what to do, and no server is started instead."""
    monkeypatch.setenv("PREFECT_API_URL", NOBODY.replace("//", "//user:opensesame@"))
    _refresh()  # another test may have imported Prefect
    home = tmp_path / "home"
    with pytest.raises(PrefectUnavailable) as caught, server(home, print):
        pytest.fail("nobody answers there")
    assert NOBODY in caught.value.what
    assert "opensesame" not in str(caught.value)
    assert "unset PREFECT_API_URL" in caught.value.hint
    assert not home.exists()


def test_the_import_is_light() -> None:
    """Importing the package imports neither Prefect nor an HTTP client."""
    program = "import sys, deployments.embedded; sys.exit(bool({'prefect', 'httpx'} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
