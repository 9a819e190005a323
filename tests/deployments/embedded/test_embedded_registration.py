"""What the server is told about our blocks: when to register them anew, and the key to their secrets."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import blocks
from blocks.errors import PrefectUnavailable
from deployments.embedded import encryption, registration


@pytest.fixture
def prefect_home(tmp_path: Path) -> Path:
    """A Prefect home whose server has run already."""
    folder = tmp_path / "prefect"
    folder.mkdir()
    (folder / "prefect.db").touch()
    return folder


def test_other_blocks_are_registered_anew(prefect_home: Path, tmp_path: Path) -> None:
    """A changed block has another memo; the old one is gone, so that going back registers anew too."""
    room = shutil.copytree(Path(blocks.__file__).parent, tmp_path / "blocks")
    memo = registration.memo(prefect_home, room)
    memo.touch()
    assert registration.memo(prefect_home) == registration.memo(prefect_home, room) == memo
    assert memo.exists()
    with (room / "store" / "block.py").open("a", encoding="utf-8") as source:
        source.write("# another field\n")
    assert registration.memo(prefect_home, room) != memo
    assert not memo.exists()


def test_a_new_database_is_filled_anew(prefect_home: Path) -> None:
    """What an earlier one held is no reason to leave this one empty."""
    memo = registration.memo(prefect_home)
    memo.touch()
    (prefect_home / "prefect.db").unlink()
    assert registration.memo(prefect_home) == memo
    assert not memo.exists()


def test_the_key_is_made_once_for_its_owner_alone(prefect_home: Path) -> None:
    """A key that Fernet takes, in a file that nobody else may read."""
    key = encryption.key(prefect_home)
    assert key is not None
    assert Fernet(key).decrypt(Fernet(key).encrypt(b"secret")) == b"secret"
    assert encryption.key(prefect_home) == key
    assert [path.stat().st_mode & 0o777 for path in prefect_home.glob("encryption*")] == [0o600]


def test_a_database_with_a_key_of_its_own_goes_on_with_it(prefect_home: Path) -> None:
    """As Prefect keeps it where no key is told."""
    own = Fernet.generate_key().decode()
    with closing(sqlite3.connect(prefect_home / "prefect.db")) as connection, connection:
        connection.execute("CREATE TABLE configuration (key VARCHAR, value JSON)")
        row = ("ENCRYPTION_KEY", json.dumps({"fernet_key": own}))
        connection.execute("INSERT INTO configuration VALUES (?, ?)", row)
    assert encryption.key(prefect_home) == own


def test_a_database_that_cannot_be_read_gets_no_other_key(prefect_home: Path) -> None:
    """It may have its own: a new one would lock its secrets away for ever."""
    (prefect_home / "prefect.db").write_bytes(b"no database" * 100)
    assert encryption.key(prefect_home) is None
    assert not (prefect_home / "encryption.key").exists()


def test_a_file_without_a_key_is_told(prefect_home: Path) -> None:
    """Before a server begins with something else."""
    (prefect_home / "encryption.key").write_text("nothing", "utf-8")
    with pytest.raises(PrefectUnavailable, match=r"encryption\.key holds no encryption key\. Restore it"):
        encryption.key(prefect_home)
