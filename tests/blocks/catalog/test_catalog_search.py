"""Searches in SQL: what a query says is what it finds, in one order and page by page, alike on both databases."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from blocks.catalog import Catalog, TicketRequest
from blocks.catalog import appliances as catalog_appliances
from blocks.catalog import images as catalog_images
from blocks.catalog.fiql import OPERATORS
from blocks.catalog.tables import APPLIANCES, TICKETS
from blocks.errors import InvalidInput
from blocks.model import Appliance, OSProfile, Record, Search
from tests.blocks.catalog.conftest import RECIPE

_BEGUN = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
_WORDS = ("web_1", "Web-1", "web%2", "a[b]c", "x?y", "zz top", "Zulu")


@pytest.fixture
def owned(catalog: Catalog) -> Catalog:
    """Seven appliances of alice's with awkward names, a minute apart, the third without an OS profile; one of bob's."""
    profile = OSProfile(suite="bookworm")
    for number, name in enumerate(_WORDS, 1):
        with_profile = profile if number != 3 else None
        stored = catalog.appliances.add("alice", Appliance(name=f"n{number}", version="1.0", os_profile=with_profile))
        with catalog.database.writing() as connection:
            change = update(APPLIANCES).where(APPLIANCES.c.id == stored)
            moment = _BEGUN + timedelta(minutes=number)
            connection.execute(change.values(name=name, created=moment, changed=moment))
    catalog.appliances.add("bob", Appliance(name="web_1"))
    return catalog


def _found(catalog: Catalog, query: str) -> list[int]:
    return [row.id for row in catalog.appliances.search("alice", Search(query=query)).rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("dbId==2", [2]),
        ("dbId=gt=5", [6, 7]),
        ("dbId!=1;dbId=le=3", [2, 3]),
        ("dbId==1,dbId==7", [1, 7]),
        ("dbId==-5", []),
        ("dbId==999999999999999999", []),
        ("name=='web_1'", [1]),
        ("name=='web_*'", [1]),
        ("name=='web*'", [1, 3]),
        ("name=='Web*'", [2]),
        ("name=='*%*'", [3]),
        ("name=='a[b]*'", [4]),
        ("name=='a[b*'", [4]),
        ("name=='?*'", []),
        ("name=='x?*'", [5]),
        ("name=='*e*1'", [1, 2]),
        ("name!='*e*1'", [3, 4, 5, 6, 7]),
        ("name=='*'", [1, 2, 3, 4, 5, 6, 7]),
        ("name=lt=a", [2, 7]),
        ("archName==x86_64", [1, 2, 4, 5, 6, 7]),
        ("distributionName=='Debian book*'", [1, 2, 4, 5, 6, 7]),
        ("distributionName==''", [3]),
        ("tag!=any;revision==1;version==1.0", [1, 2, 3, 4, 5, 6, 7]),
        ("created==2026-01-02T03:05:05.678Z", [1]),
        ("created==2026-01-02T03:05:05.677Z", []),
        ("created=='2026-01-02T05:05:05.678+02:00'", [1]),
        ("created=le=2026-01-02T03:06:05.678", [1, 2]),
        ("created=lt=2026-01-02T03:06:05.678", [1]),
        ("created=gt=2026-01-02T03:10:05.678", [7]),
        ("created=ge=2026-01-02T03:10:05.678;created=lt=2026-01-03", [6, 7]),
        ("lastModified!=2026-01-02T03:05:05.678Z;dbId=le=2", [2]),
        ("name=='ünknown'", []),
    ],
)
def test_a_query_finds_what_it_says(owned: Catalog, query: str, found: list[int]) -> None:
    """Numbers, texts, wildcards with the case of letters, times by the millisecond; only what is the user's own."""
    assert _found(owned, query) == found


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("document=='*'", "one of archName, created, dbId"),
        ("dbId==abc", "a whole number"),
        ("dbId==5*", "a whole number"),
        ("dbId==1.0", "a whole number"),
        ("dbId==99999999999999999999", "a whole number"),
        ("name=lt='a*'", r"without \*"),
        ("created==yesterday", "a time like"),
        ("created==*", "a time like"),
        ("name==a;user=='bob'", "at character 9"),
    ],
)
def test_what_cannot_be_asked_is_told(owned: Catalog, query: str, told: str) -> None:
    """A selector that isn't listed and a value of another kind are invalid input, with what is allowed."""
    with pytest.raises(InvalidInput, match=told):
        _found(owned, query)


@pytest.mark.parametrize(
    "query", ["compress==maybe", "compress=lt=true", "status.complete==*", "recipe=='*'", "token=='*'"]
)
def test_what_cannot_be_asked_of_images_is_told(catalog: Catalog, query: str) -> None:
    """A flag is true or false; what is secret can't be guessed by queries."""
    with pytest.raises(InvalidInput, match="allowed"):
        catalog.images.list("alice", search=Search(query=query))


def test_the_order_is_the_same_on_every_database(owned: Catalog) -> None:
    """Texts by their bytes, then by number; descending is the same the other way round; by default by number."""

    def names(search: Search) -> list[str]:
        return [row.appliance.name for row in owned.appliances.search("alice", search).rows]

    rows = owned.appliances.search("alice", Search(order_by="name")).rows
    assert [_WORDS[row.id - 1] for row in rows] == sorted(_WORDS)
    rows = owned.appliances.search("alice", Search(order_by="name", descending=True)).rows
    assert [_WORDS[row.id - 1] for row in rows] == sorted(_WORDS, reverse=True)
    assert names(Search(order_by="version", descending=True)) == names(Search(descending=True))
    assert names(Search(order_by="")) == names(Search())
    with pytest.raises(InvalidInput, match="Name one of"):
        names(Search(order_by="document"))


def test_pages_are_parts_of_the_whole(owned: Catalog) -> None:
    """The total is that of all matches, also on an empty page, and the pages together are the list."""
    for query in (None, "dbId=gt=2"):
        whole = owned.appliances.search("alice", Search(query=query, order_by="created", descending=True))
        assert whole.total == len(whole.rows)
        pages = [
            owned.appliances.search(
                "alice", Search(query=query, order_by="created", descending=True, count=2, offset=offset)
            )
            for offset in (0, 2, 4, 6)
        ]
        assert tuple(row for page in pages for row in page.rows) == whole.rows
        assert {page.total for page in pages} == {whole.total}
        assert owned.appliances.search("alice", Search(query=query, offset=1)).rows[0] in whole.rows
        for empty in (Search(query=query, count=0), Search(query=query, offset=100)):
            found = owned.appliances.search("alice", empty)
            assert (found.rows, found.total) == ((), whole.total)


_SELECTORS = sorted({*catalog_images.SELECTORS, *catalog_appliances.SELECTORS, "user", "token"})
_VALUES = st.one_of(
    st.integers().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(["true", "false", "*", "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00+23:59", "NaN", "1e9"]),
    st.text(st.characters(exclude_characters="'\\"), max_size=20),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    selector=st.sampled_from(_SELECTORS), operator=st.sampled_from(OPERATORS), value=_VALUES, order=st.text(max_size=5)
)
def test_no_query_breaks_the_database(catalog: Catalog, selector: str, operator: str, value: str, order: str) -> None:
    """Whatever is compared with whatever, and sorted by it: the database takes it, or it is invalid input."""
    search = Search(query=f"{selector}{operator}'{value}'", order_by=order or selector, count=1)
    for list_ in (catalog.images.list, catalog.generations.list, catalog.appliances.search):
        total = 0
        with contextlib.suppress(InvalidInput):
            total = list_("alice", search=search).total
        assert total == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("targetFormat.name=='OpenStack QCOW2'", [2]),
        ("targetFormat.format.name==openstackqcow2", [2]),
        ("format.name==qcow2,format.name==raw", [1, 3, 4]),
        ("targetFormat.name==RAW;compress==false", [3]),
        ("simulated==TRUE", [4]),
        ("status.complete==true", [1, 2]),
        ("status.complete==1;status.error==0", [1]),
        ("status.error==true", [2]),
        ("status.cancelled==true", [3]),
        ("status.percentage==100", [1]),
        ("status.percentage=ge=40", [1, 2]),
        ("status.percentage==99", [2]),
        ("size==1000;fileSize=gt=999", [1]),
        ("size==0", [2, 3, 4]),
        ("fileName=='server.*';sha256sum==" + "f" * 64, [1]),
        ("uploaded==false", [2, 3, 4]),
        ("imageCreated!=false", [1]),
        ("name==server;version==1.0;revision==1", [1, 2, 3, 4]),
    ],
)
def test_images_are_found_by_what_is_shown_of_them(
    catalog: Catalog, order: TicketRequest, make_record: Callable[..., Record], query: str, found: list[int]
) -> None:
    """Complete, in error, cancelled and requested; each with its target, its flags and its file."""
    changes: tuple[dict[str, object], ...] = (
        {},
        {"target": "OpenStack QCOW2"},
        {"format": "raw", "compress": False},
        {"simulated": True},
    )
    tickets = [
        catalog.tickets.create(order.model_copy(update={"recipe": RECIPE.model_copy(update=change)}))
        for change in changes
    ]
    for ticket in tickets[:2]:
        lease = catalog.attempts.begin(ticket.id, "home-1", in_process=True)
        catalog.attempts.advance(lease, "verifying", 100 if ticket is tickets[1] else 40, "verify", "Verifying")
        if ticket is tickets[0]:
            catalog.attempts.complete(lease, make_record(ticket.id), "Done")
        else:
            catalog.attempts.fail(lease, "it broke")
    catalog.tickets.cancel(tickets[2].id, "enough")
    rows = catalog.images.list("alice", search=Search(query=query)).rows
    assert [row.ticket.id for row in rows] == found
    with catalog.database.reading() as connection:
        assert (
            connection.scalar(TICKETS.select().with_only_columns(TICKETS.c.target).where(TICKETS.c.id == 1)) == "QCOW2"
        )
