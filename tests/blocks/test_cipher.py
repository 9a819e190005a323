"""The cipher: secrets come back with the key that hid them, and with no other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.cipher import Cipher
from blocks.errors import InvalidInput, MachineUnfit
from blocks.settings import Settings

_OLD = "b2xkIGtleSBvbGQga2V5IG9sZCBrZXkgb2xkIGtleSE="
_NEW = "bmV3IGtleSBuZXcga2V5IG5ldyBrZXkgbmV3IGtleSE="
_SECRET = SecretStr("open sesame ✓")


def test_nothing_is_made_before_a_secret_is_kept(tmp_path: Path) -> None:
    """Who never uses API keys has no key file; who does has one that only its owner may read."""
    cipher = Cipher.of(tmp_path, Settings(home=tmp_path))
    assert not list(tmp_path.iterdir())
    hidden = cipher.encrypt(_SECRET)
    (file,) = tmp_path.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("secret.key", 0o600)
    assert "sesame" not in hidden
    assert Cipher.of(tmp_path, Settings(home=tmp_path)).decrypt(hidden) == _SECRET


def test_several_who_miss_the_file_make_one(tmp_path: Path) -> None:
    """Whatever each of them hides, the others read."""
    barrier, hidden = threading.Barrier(4), list[str]()

    def hide() -> None:
        barrier.wait()
        hidden.append(Cipher(None, tmp_path / "secret.key").encrypt(_SECRET))

    threads = [threading.Thread(target=hide) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = Cipher(None, tmp_path / "secret.key")
    assert [reader.decrypt(each) for each in hidden] == [_SECRET] * 4
    assert [each.name for each in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_is_replaced_by_putting_the_new_one_first(tmp_path: Path) -> None:
    """What the old one hid is read, what is hidden from now on needs the new one."""
    hidden = Cipher(SecretStr(_OLD)).encrypt(_SECRET)
    both = Cipher(SecretStr(f"{_NEW}, {_OLD}"))
    assert both.decrypt(hidden) == _SECRET
    assert Cipher(SecretStr(_NEW)).decrypt(both.encrypt(_SECRET)) == _SECRET
    assert not list(tmp_path.iterdir())


def test_another_key_is_told_and_shows_nothing() -> None:
    """The error names what to set, and no secret."""
    hidden = Cipher(SecretStr(_OLD)).encrypt(_SECRET)
    with pytest.raises(MachineUnfit, match="REFORGE_SECRET_KEY") as caught:
        Cipher(SecretStr(_NEW)).decrypt(hidden)
    assert _NEW not in str(caught.value)


@pytest.mark.parametrize("key", ["short", ",", "ÄÖÜ", f"{_OLD},"])
def test_what_is_no_key_is_refused(key: str) -> None:
    """With what to do next, and without the text that was given."""
    with pytest.raises(InvalidInput, match="openssl rand"):
        Cipher(SecretStr(key)).encrypt(_SECRET)


def test_without_a_key_and_a_file_no_secret_is_kept() -> None:
    """A catalog that was opened without a home says what is missing."""
    with pytest.raises(MachineUnfit, match="Set REFORGE_SECRET_KEY"):
        Cipher(None).encrypt(_SECRET)


def test_the_environment_names_the_key_and_nothing_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REFORGE_SECRET_KEY goes before the file."""
    monkeypatch.setenv("REFORGE_SECRET_KEY", _OLD)
    settings = Settings.told()
    assert Cipher.of(tmp_path, settings).decrypt(Cipher(SecretStr(_OLD)).encrypt(_SECRET)) == _SECRET
    assert _OLD not in f"{settings!r}{settings}{settings.model_dump()}"
    assert not list(tmp_path.iterdir())
