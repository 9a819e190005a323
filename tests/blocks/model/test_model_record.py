"""A record is portable: its document comes back equal, in one canonical form, and names its image."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.errors import InvalidInput
from blocks.model import ImageFile, Record, Ticket, canonical
from blocks.model.request import Regeneration
from blocks.model.summary import summarise


def test_round_trip(record: Record) -> None:
    """A record read back from its canonical bytes is equal and has the same bytes."""
    data = canonical(record.document())
    again = Record.parse_json(data)
    assert again == record
    assert canonical(again.document()) == data


def test_time_zones_make_no_difference(record: Record) -> None:
    """The same moment written with another offset gives the same bytes."""
    document = record.document()
    document["generation"]["created"] = "2026-01-02T05:04:05+02:00"
    assert canonical(Record.parse(document).document()) == canonical(record.document())


def test_image_digest_is_the_last_stages(record: Record) -> None:
    """The digest of the last stage names the image; without stages there is none."""
    assert record.generation.image_digest() == record.generation.stages[1].digest
    assert record.generation.model_copy(update={"stages": ()}).image_digest() is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "other"),
        ("version", 2),
        ("ticket", 0),
        ("ticket", 2**53),
        ("attempt", -1),
        ("appliance", 0),
        ("user", "../x"),
        ("generation", None),
    ],
)
def test_envelope(record: Record, field: str, value: object) -> None:
    """An envelope of another kind or version, or with an impossible id, is refused with the field's name."""
    with pytest.raises(InvalidInput, match=field):
        Record.parse({**record.document(), field: value})


@given(st.data())
def test_missing_fields(data: st.DataObject) -> None:
    """A file without any one of its fields is refused with that field's name."""
    whole = {"name": "a.qcow2", "format": "qcow2", "compression": "zstd", "size": 1, "sha256": "0" * 64}
    missing = data.draw(st.sampled_from(sorted(whole)))
    with pytest.raises(InvalidInput, match=missing):
        ImageFile.parse({key: value for key, value in whole.items() if key != missing})


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../x", "a b", "x" * 256, "a\n"])
def test_file_names(record: Record, name: str) -> None:
    """An image file's name is one plain part of a path."""
    assert record.generation.file is not None
    with pytest.raises(InvalidInput, match="name"):
        ImageFile.parse({**record.generation.file.document(), "name": name})


def ticket(**change: Any) -> Ticket:
    """A complete ticket, or with a change another one."""
    time = datetime(2026, 1, 2, tzinfo=UTC)
    document = {
        "id": 7,
        "user": "ada",
        "appliance": 1,
        "parent": 6,
        "policy": "refresh",
        "rebuild": False,
        "state": "complete",
        "percent": 100,
        "stage": "settle",
        "message": "",
        "error": "",
        "attempt": 1,
        "flow_run": None,
        "created": time,
        "finished": time,
    }
    return Ticket.parse({**document, **change})


@pytest.mark.parametrize(
    ("state", "terminal"), [("complete", True), ("cancelled", True), ("error", True), ("storing", False)]
)
def test_terminal(state: str, terminal: bool) -> None:
    """A ticket knows whether its state is final."""
    assert ticket(state=state).terminal is terminal


def test_summary_of_a_complete_ticket(record: Record) -> None:
    """The summary holds what the command line promises, and is plain JSON."""
    document = summarise(ticket(), record, record, "file:///store/x").document()
    assert json.loads(json.dumps(document)) == document
    assert document["verdict"] == "rebuilt"
    assert document["digest"] == record.generation.stages[1].digest
    assert document["file"]["uri"] == "file:///store/x"
    assert document["packages"] == {"added": 0, "removed": 0, "upgraded": 0, "downgraded": 0, "unchanged": 2}
    assert [stage["name"] for stage in document["stages"]] == ["disk", "pack"]


def test_summary_without_parent(record: Record) -> None:
    """A first generation's packages all count as added."""
    assert summarise(ticket(parent=None), record, None, "").packages["added"] == 2


def test_summary_of_a_failure() -> None:
    """Without a record the summary tells the error and has neither file nor digest."""
    summary = summarise(ticket(state="error", error="It broke"), None, None, "")
    assert (summary.reason, summary.file, summary.digest, summary.verdict) == ("It broke", None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", ""),
        ("appliance", 0),
        ("image", -1),
        ("image", 2**63),
        ("policy", "latest"),
        ("plan", "xyz"),
        ("key", " "),
    ],
)
def test_request_is_validated_whole(field: str, value: object) -> None:
    """A request with a wrong parameter is refused with the parameter's name."""
    with pytest.raises(InvalidInput, match=field):
        Regeneration.parse({"user": "ada", "appliance": 1, "image": 1, field: value})
