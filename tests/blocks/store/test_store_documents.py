"""What every store promises about records and logs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.errors import CorruptFile, NotFound
from blocks.model import Record, canonical
from blocks.store import Store

Make = Callable[..., Record]


def test_record_round_trip(store: Store, make_record: Make) -> None:
    """A stored record comes back equal."""
    store.put_record(make_record(7))
    assert store.record(7) == make_record(7)


def test_record_is_canonical(store: Store, root: Path, make_record: Make) -> None:
    """A record is stored as canonical JSON at its known place."""
    store.put_record(make_record(7, 2))
    assert (root / "records/7/2.json").read_bytes() == canonical(make_record(7, 2).document())


def test_record_is_replaced(store: Store, make_record: Make) -> None:
    """A record of the same attempt takes the earlier one's place."""
    store.put_record(make_record(7))
    store.put_record(make_record(7, reason="again"))
    assert store.record(7).generation.reason == "again"


def test_highest_attempt_wins(store: Store, make_record: Make) -> None:
    """Of a ticket's attempts the highest number counts, not the last in the alphabet nor the last stored."""
    for attempt in (10, 2, 9):
        store.put_record(make_record(7, attempt))
    assert store.record(7).attempt == 10
    assert [record.attempt for record in store.records()] == [10]


def test_records_in_the_tickets_order(store: Store, make_record: Make) -> None:
    """All tickets' records come in the order of the tickets' numbers."""
    for ticket in (10, 9, 100):
        store.put_record(make_record(ticket))
    assert [record.ticket for record in store.records()] == [9, 10, 100]


def test_no_records(store: Store) -> None:
    """An empty store has no records and none that are damaged."""
    assert list(store.records()) == []
    assert list(store.damaged()) == []


def test_unknown_record(store: Store) -> None:
    """A ticket without a record is named in the error."""
    with pytest.raises(NotFound, match="ticket 7"):
        store.record(7)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"{}"])
def test_damaged_record_is_skipped_and_told(store: Store, root: Path, make_record: Make, content: bytes) -> None:
    """A damaged record is left out of `records`, told by `damaged`, and never hides the other tickets."""
    for ticket in (7, 8):
        store.put_record(make_record(ticket))
    (root / "records/7/1.json").write_bytes(content)
    assert [record.ticket for record in store.records()] == [8]
    assert [damaged.where for damaged in store.damaged()] == ["records/7/1.json"]
    with pytest.raises(CorruptFile, match=r"records/7/1\.json"):
        store.record(7)


def test_damaged_attempt_falls_back(store: Store, root: Path, make_record: Make) -> None:
    """If the highest attempt's record is damaged the next readable one counts, and the damage is told."""
    for attempt in (1, 2):
        store.put_record(make_record(7, attempt))
    (root / "records/7/2.json").write_bytes(b"{")
    assert store.record(7).attempt == 1
    assert len(list(store.damaged())) == 1


def test_record_in_the_wrong_place_is_damaged(store: Store, root: Path, make_record: Make) -> None:
    """A record that belongs to another ticket or attempt than its name says is damaged."""
    store.put_record(make_record(7))
    (root / "records/7/1.json").rename(root / "records/7/2.json")
    assert [damaged.reason for damaged in store.damaged()] == ["it is the record of ticket 7, attempt 1"]


def test_foreign_files_beside_records(store: Store, root: Path, make_record: Make) -> None:
    """Files that aren't records are passed over."""
    store.put_record(make_record(7))
    (root / "records/notes.txt").touch()
    (root / "records/7/1.json~").touch()
    (root / "records/7/x.json").touch()
    assert [record.ticket for record in store.records()] == [7]
    assert list(store.damaged()) == []


def test_remove_record(store: Store, root: Path, make_record: Make) -> None:
    """A removed record is gone with its folder, its siblings stay, and removing it again is no error."""
    for attempt in (1, 2):
        store.put_record(make_record(7, attempt))
    store.remove_record(7, 2)
    store.remove_record(7, 2)
    assert store.record(7).attempt == 1
    store.remove_record(7, 1)
    assert not (root / "records/7").exists()


def test_log_round_trip(store: Store) -> None:
    """A log comes back line by line, whether its lines ended with a newline or not."""
    store.put_log(7, 1, "rootfs", ["one\n", "two", "", "drei €"])
    assert store.log(7, 1, "rootfs") == "one\ntwo\n\ndrei €\n"


def test_log_from_a_file(store: Store, tmp_path: Path) -> None:
    """An open text file is stored as a log."""
    (tmp_path / "log").write_text("one\ntwo\n")
    with (tmp_path / "log").open() as file:
        store.put_log(7, 1, "pack", file)
    assert store.log(7, 1, "pack") == "one\ntwo\n"


def test_log_with_undecodable_bytes(store: Store) -> None:
    """Bytes that were no UTF-8 stay readable as escapes."""
    store.put_log(7, 1, "pack", [b"\xff".decode(errors="surrogateescape")])
    assert store.log(7, 1, "pack") == "\\udcff\n"


def test_equal_logs_have_equal_bytes(store: Store, root: Path) -> None:
    """A compressed log carries neither time nor name."""
    store.put_log(7, 1, "pack", ["one"])
    store.put_log(8, 2, "disk", ["one"])
    first = (root / "logs/7/1/pack.log.gz").read_bytes()
    assert first == (root / "logs/8/2/disk.log.gz").read_bytes()
    assert first[4:8] == bytes(4)


def test_unknown_log(store: Store) -> None:
    """A log that isn't there is named in the error."""
    with pytest.raises(NotFound, match=r"logs/7/1/pack\.log\.gz"):
        store.log(7, 1, "pack")


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"cut"])
def test_damaged_log(store: Store, root: Path, content: bytes) -> None:
    """A damaged log raises CorruptFile with its name."""
    store.put_log(7, 1, "pack", ["one"])
    path = root / "logs/7/1/pack.log.gz"
    path.write_bytes(path.read_bytes()[:-6] if content == b"cut" else content)
    with pytest.raises(CorruptFile, match=r"logs/7/1/pack\.log\.gz"):
        store.log(7, 1, "pack")


def test_remove_logs(store: Store, root: Path) -> None:
    """An attempt's logs are removed together, other attempts' stay, and removing them again is no error."""
    for attempt, stage in ((1, "disk"), (1, "pack"), (2, "disk")):
        store.put_log(7, attempt, stage, ["one"])
    store.remove_logs(7, 1)
    store.remove_logs(7, 1)
    assert not (root / "logs/7/1").exists()
    assert store.log(7, 2, "disk") == "one\n"


def test_logs_are_listed_by_ticket_and_attempt(store: Store, root: Path) -> None:
    """Each attempt that has logs once, whatever else lies there, and none once they are removed."""
    assert list(store.logs()) == []
    for ticket, attempt, stage in ((7, 1, "disk"), (7, 1, "pack"), (7, 10, "disk"), (12, 2, "disk")):
        store.put_log(ticket, attempt, stage, ["one"])
    (root / "logs/notes").mkdir()
    (root / "logs/notes/1.txt").touch()
    (root / "logs/7/x.txt").touch()
    assert sorted(store.logs()) == [(7, 1), (7, 10), (12, 2)]
    for ticket, attempt in list(store.logs()):
        store.remove_logs(ticket, attempt)
    assert list(store.logs()) == []


def test_documents_leave_nothing_unfinished(store: Store, make_record: Make) -> None:
    """Storing records and logs leaves no unfinished upload."""
    store.put_record(make_record(7))
    store.put_log(7, 1, "pack", ["one"])
    assert store.unfinished() == ()
