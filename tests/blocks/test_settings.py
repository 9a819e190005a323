"""The settings: by environment, with errors that name the variable, and keys that nothing shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.configured import configured
from blocks.errors import InvalidInput
from blocks.settings import Settings
from blocks.store import Credentials

_VARIABLES = (
    *("CATALOG_URL", "STORE_URL", "CACHE_GIGABYTES", "POOL_GIGABYTES"),
    *("SHARE_STAGES", "SHARED_GIGABYTES", "SECRET_KEY"),
)


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(f"REFORGE_{name}", raising=False)
    monkeypatch.setenv("REFORGE_HOME", str(tmp_path))


def test_without_a_word_everything_lies_below_the_home(tmp_path: Path) -> None:
    """The embedded catalog and store."""
    settings = configured()
    assert settings.catalog() == f"sqlite:///{tmp_path}/catalog.sqlite"
    assert settings.store() == (tmp_path / "store").as_uri()
    assert (settings.cache_gigabytes, settings.pool_gigabytes, settings.store_keys()) == (20, 10, None)


def test_an_empty_variable_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As service managers set them."""
    for name in _VARIABLES:
        monkeypatch.setenv(f"REFORGE_{name}", "")
    assert configured() == Settings(home=tmp_path)


@pytest.mark.parametrize("value", ["much", "0", "-1", "inf", "nan"])
def test_a_wrong_variable_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong, where, and what to do next."""
    monkeypatch.setenv("REFORGE_POOL_GIGABYTES", value)
    with pytest.raises(InvalidInput, match=r"REFORGE_POOL_GIGABYTES: Input should be .*Correct or unset"):
        configured()


def test_the_keys_to_the_store_are_no_variables_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither settings nor keys print a secret; a copy with keys leaves the original alone."""
    for name in ("STORE_KEYS", "_STORE_KEYS"):
        monkeypatch.setenv(f"REFORGE_{name}", '{"access_key": "a", "secret_key": "b"}')
    monkeypatch.setenv("REFORGE_CATALOG_URL", "postgresql://reforge:opensesame@db/reforge")
    settings = configured()
    keys = Credentials(SecretStr("access"), SecretStr("opensesame"))
    unlocked = settings.with_store_keys(keys)
    assert (settings.store_keys(), unlocked.store_keys()) == (None, keys)
    assert "opensesame" not in f"{unlocked!r}{unlocked}{unlocked.store_keys()!r}{unlocked.model_dump()}"


def test_stages_are_shared_where_several_machines_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a bucket, and not in a folder, unless told otherwise."""
    assert not configured().shares()
    monkeypatch.setenv("REFORGE_SHARE_STAGES", "true")
    assert configured().shares()
    monkeypatch.setenv("REFORGE_SHARE_STAGES", "")
    monkeypatch.setenv("REFORGE_STORE_URL", "s3://images/reforge")
    assert configured().shares()
    monkeypatch.setenv("REFORGE_SHARE_STAGES", "false")
    assert not configured().shares()
    assert configured().shared_gigabytes == 50
