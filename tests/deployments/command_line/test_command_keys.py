"""API keys at the command line: the secret is shown once, and deleted pairs are gone."""

from __future__ import annotations

from pathlib import Path

from blocks.ports import Ports
from tests.calling import Call


def test_a_secret_is_shown_once(reforge: Call, ports: Ports, home: Path) -> None:
    """With the pair that it belongs to; neither a list nor a file of the home tells it after that."""
    answer = reforge("key", "add", "alice", "--name", "build", "--description", "the build server", "--json")
    made = answer.document
    assert (answer.code, list(made)) == (
        0,
        ["id", "user", "name", "description", "public", "created", "secret"],
    )
    assert (made["user"], made["name"], made["description"]) == ("alice", "build", "the build server")
    known = ports.catalog.keys.find(made["public"])
    assert known is not None
    assert known.secret.get_secret_value() == made["secret"]
    listed = reforge("key", "list", "alice", "--json")
    assert listed.document == [{name: value for name, value in made.items() if name != "secret"}]
    assert made["secret"] not in listed.out + listed.err + answer.err
    assert not [path for path in home.rglob("*") if path.is_file() and made["secret"].encode() in path.read_bytes()]


def test_a_person_reads_it_as_text(reforge: Call, ports: Ports) -> None:
    """Without --json the same is told in words."""
    answer = reforge("key", "add", "alice")
    (made,) = ports.catalog.keys.list("alice")
    assert made.secret.get_secret_value() in answer.out
    assert made.public in reforge("key", "list", "alice").out


def test_a_deleted_pair_is_gone(reforge: Call, ports: Ports) -> None:
    """Also for who deletes it again; another user's can't be deleted."""
    made = reforge("key", "add", "alice", "--json").document
    assert reforge("key", "delete", "bob", made["id"]).code == 4
    assert reforge("key", "delete", "alice", made["id"], "--json").document["deleted"]
    assert ports.catalog.keys.find(made["public"]) is None
    assert reforge("key", "delete", "alice", made["id"]).code == 4
    assert reforge("key", "list", "alice", "--json").document == []


def test_nobody_has_keys_who_is_no_user(reforge: Call, ports: Ports, home: Path) -> None:
    """Exit code 3."""
    assert ports.catalog.users.get("alice").active
    assert (reforge("key", "add", "nobody").code, reforge("key", "list", "nobody").code) == (3, 3)
    assert home.exists()


def test_too_many_pairs_are_refused(reforge: Call, ports: Ports) -> None:
    """With what to do about it."""
    for _ in range(10):
        ports.catalog.keys.create("alice")
    answer = reforge("key", "add", "alice")
    assert (answer.code, "Delete one" in answer.err) == (3, True)
