"""A store is opened by its URL, and a wrong URL says what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import InvalidInput
from blocks.store import open_store


@pytest.mark.parametrize("name", ["store", "with space", "ünïcode", "a#b?c%d"])
def test_file_url(tmp_path: Path, name: str) -> None:
    """The URL that a path gives opens the store in that path."""
    blob = open_store((tmp_path / name).as_uri()).put(b"index")
    assert (tmp_path / name / "blobs/sha256" / blob.sha256[:2] / blob.sha256).read_bytes() == b"index"


def test_folders_above_are_made(tmp_path: Path) -> None:
    """A store below folders that aren't there yet is made with them."""
    open_store((tmp_path / "a/b/store").as_uri())
    assert (tmp_path / "a/b/store").is_dir()


def test_opening_twice_is_the_same_store(tmp_path: Path) -> None:
    """What one opening stored another one has."""
    url = (tmp_path / "store").as_uri()
    assert open_store(url).has(open_store(url).put(b"index").sha256)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store",
        "/the/store",
        "file:store",
        "file:/the/store",
        "file://server/store",
        "file:///a?b=c",
        "file:///a#b",
        "file:///a%00b",
        "https://host/x",
    ],
)
def test_other_urls(url: str) -> None:
    """Any URL that doesn't name a folder on this machine is refused with the form that is allowed."""
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert "file:///" in caught.value.hint


def test_secrets_are_not_repeated() -> None:
    """A URL of another kind may hold a secret, so the error doesn't repeat it."""
    with pytest.raises(InvalidInput) as caught:
        open_store("s3://key:hidden@bucket")
    assert "hidden" not in str(caught.value)
