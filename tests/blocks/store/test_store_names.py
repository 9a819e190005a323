"""Nothing becomes a path that isn't in its grammar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import InvalidInput
from blocks.store import Store, names

BAD_SHA256 = ["", "abc", "../" * 21 + "a", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "a" * 31 + "/" + "a" * 32]
BAD_KEY = ["", "7", "7/1", "7/1/..", "../../x", "/7/1/x", "7//x", "7/1/.x", "7/1/x\n", "7/1/a,b", "7/1/" + "x" * 217]
PART = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,40}", fullmatch=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small file: none of these tests gets as far as storing it."""
    (tmp_path / "image.raw").write_bytes(b"image")
    return tmp_path / "image.raw"


@pytest.mark.parametrize("sha256", BAD_SHA256)
@pytest.mark.parametrize(
    "use",
    [
        lambda store, sha256, _path: store.open(sha256),
        lambda store, sha256, _path: store.has(sha256),
        lambda store, sha256, _path: store.size(sha256),
        lambda store, sha256, _path: store.uri(sha256),
        lambda store, sha256, _path: store.remove(sha256),
        lambda store, sha256, _path: store.verify(sha256, 1, lambda: None),
        lambda store, sha256, path: store.fetch(sha256, path.with_name("target"), lambda: None),
        lambda store, sha256, path: store.put_package(path, sha256),
        lambda store, sha256, path: store.upload(path, "7/1/x", lambda: None, expected=sha256),
    ],
    ids=["open", "has", "size", "uri", "remove", "verify", "fetch", "put_package", "upload"],
)
def test_bad_sha256(store: Store, source: Path, sha256: str, use: Callable[[Store, str, Path], object]) -> None:
    """No method takes a sha256 that isn't 64 lower-case hexadecimal digits."""
    with pytest.raises(InvalidInput, match="sha256"):
        use(store, sha256, source)


@pytest.mark.parametrize("key", BAD_KEY)
def test_bad_key(store: Store, source: Path, key: str) -> None:
    """Neither upload nor abort takes a key outside its grammar, and the error says what is allowed."""
    with pytest.raises(InvalidInput, match="ticket/attempt/file"):
        store.upload(source, key, lambda: None)
    with pytest.raises(InvalidInput, match="ticket/attempt/file"):
        store.abort(key)


@pytest.mark.parametrize("stage", ["", "..", "a/b", "Pack", "pack\n", "x" * 41])
def test_bad_stage(store: Store, stage: str) -> None:
    """A log's stage is a lower-case word."""
    with pytest.raises(InvalidInput, match="stage"):
        store.put_log(7, 1, stage, [])
    with pytest.raises(InvalidInput, match="stage"):
        store.log(7, 1, stage)


@pytest.mark.parametrize("ticket", [-1, 10**16])
def test_bad_ticket(store: Store, ticket: int) -> None:
    """A ticket's number is a whole number from 0 on, of at most 16 digits."""
    for use in (
        store.record,
        lambda number: store.remove_record(number, 1),
        lambda number: store.remove_logs(1, number),
    ):
        with pytest.raises(InvalidInput):
            use(ticket)


@given(st.text(max_size=80))
def test_any_text_is_a_safe_key_or_refused(text: str) -> None:
    """Whatever text is given as a key either is refused or becomes one plain file name."""
    try:
        name = names.upload(text, datetime(2026, 1, 2, tzinfo=UTC), "0" * 16)
    except InvalidInput:
        return
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= 255


@given(
    st.lists(PART, min_size=3, max_size=4).map("/".join),
    st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds it
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
)
def test_upload_name_round_trip(key: str, started: datetime, token: str) -> None:
    """An unfinished upload's file name gives back its key and its start to the millisecond."""
    parsed = names.parse_upload(names.upload(key, started, token))
    assert parsed is not None
    assert parsed[0] == key
    assert abs((parsed[1] - started).total_seconds()) <= 0.001


@pytest.mark.parametrize("name", ["", "7,1,x", "lost+found", ".nfs0001", "7,1,x,zz,0000000000000000"])
def test_foreign_file_is_no_upload(name: str) -> None:
    """A file that isn't an unfinished upload isn't taken for one."""
    assert names.parse_upload(name) is None
