"""API keys: a user's own pairs, whose secret keys the database never holds in clear."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from blocks.catalog import Catalog
from blocks.catalog.keys import LIMIT
from blocks.catalog.tables import API_KEYS
from blocks.cipher import Cipher
from blocks.errors import InvalidInput, MachineUnfit, NotFound, QuotaExceeded, UnknownUser

_MANY = 10**30


def _cipher(byte: bytes) -> Cipher:
    return Cipher(SecretStr(base64.b64encode(byte * 32).decode()))


@pytest.fixture
def keyed(url: str) -> Iterator[Catalog]:
    """A catalog with a cipher."""
    with Catalog.open(url, _cipher(b"k")) as opened:
        yield opened


def test_a_pair_is_found_by_its_public_key(keyed: Catalog) -> None:
    """With its secret one, whose it is and what was said of it; two pairs have nothing in common."""
    pair = keyed.keys.create("alice", "laptop", "for scripts")
    other = keyed.keys.create("alice")
    assert keyed.keys.find(pair.public) == keyed.keys.get("alice", pair.id) == pair
    assert (pair.user, pair.name, pair.description) == ("alice", "laptop", "for scripts")
    assert abs(pair.changed - pair.created) < timedelta(seconds=5)
    assert len(pair.secret.get_secret_value()) > 40
    assert {pair.public, pair.secret}.isdisjoint({other.public, other.secret})
    assert keyed.keys.list("alice") == [pair, other]


@pytest.mark.parametrize("public", ["", "unknown", "\0", "\ud800", "ü", "x" * 10_000])
def test_any_other_public_key_is_nobody_s(keyed: Catalog, public: str) -> None:
    """Whatever is sent, nothing is found and nothing breaks."""
    keyed.keys.create("alice")
    assert keyed.keys.find(public) is None


def test_the_secret_is_nowhere_in_clear(keyed: Catalog, url: str) -> None:
    """Neither in the row nor in what is printed; another installation's key doesn't open it."""
    pair = keyed.keys.create("alice", "laptop")
    secret = pair.secret.get_secret_value()
    with keyed.database.reading() as connection:
        row = connection.execute(select(API_KEYS)).one()
    assert secret not in " ".join(map(str, row))
    assert secret not in repr(pair)
    assert secret not in str(pair.document())
    with Catalog.open(url, _cipher(b"o")) as other, pytest.raises(MachineUnfit):
        other.keys.find(pair.public)


def test_without_a_cipher_no_pair_is_made(catalog: Catalog) -> None:
    """Nothing is written that nobody could read."""
    with pytest.raises(MachineUnfit):
        catalog.keys.create("alice")
    assert catalog.keys.list("alice") == []


def test_what_is_said_of_a_pair_can_change_and_its_keys_cannot(keyed: Catalog) -> None:
    """Name and description, within bounds; the keys stay what they were."""
    pair = keyed.keys.create("alice", "laptop")
    after = keyed.keys.update("alice", pair.id, "desk", "at home")
    assert (after.name, after.description) == ("desk", "at home")
    assert (after.public, after.secret, after.created) == (pair.public, pair.secret, pair.created)
    assert after.changed >= pair.changed
    for name, description in (("x" * 101, ""), ("", "x" * 1001), ("\0", ""), ("\ud800", "")):
        with pytest.raises(InvalidInput, match="API key"):
            keyed.keys.update("alice", pair.id, name, description)
        with pytest.raises(InvalidInput, match="API key"):
            keyed.keys.create("alice", name, description)
    assert keyed.keys.list("alice") == [after]


def test_a_pair_is_its_user_s_alone(keyed: Catalog) -> None:
    """Nobody else reads, changes or deletes it; deleted, it is found no more."""
    pair = keyed.keys.create("alice")
    for number in (pair.id + 1, _MANY):
        with pytest.raises(NotFound):
            keyed.keys.get("alice", number)
    with pytest.raises(NotFound):
        keyed.keys.get("bob", pair.id)
    with pytest.raises(NotFound):
        keyed.keys.update("bob", pair.id, "mine", "")
    with pytest.raises(NotFound):
        keyed.keys.delete("bob", pair.id)
    assert keyed.keys.list("bob") == []
    keyed.keys.delete("alice", pair.id)
    assert keyed.keys.find(pair.public) is None
    with pytest.raises(NotFound):
        keyed.keys.delete("alice", pair.id)
    assert keyed.keys.create("alice").id != pair.id


def test_a_user_has_ten_pairs_at_most(keyed: Catalog) -> None:
    """Also when all are asked for at once; one that is deleted makes room, and others have their own ten."""

    def ask(_: int) -> bool:
        try:
            keyed.keys.create("alice")
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(ask, range(LIMIT + 6)))
    assert made.count(True) == LIMIT == len(keyed.keys.list("alice"))
    keyed.keys.create("bob")
    keyed.keys.delete("alice", keyed.keys.list("alice")[0].id)
    keyed.keys.create("alice")
    with pytest.raises(UnknownUser):
        keyed.keys.create("nobody")
