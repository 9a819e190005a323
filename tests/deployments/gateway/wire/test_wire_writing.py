"""Documents are written as the contract has them, and never if a reader would refuse them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from blocks.errors import Contradiction
from deployments.gateway.wire import (
    CredAccount,
    CredAccountOpenStack,
    Document,
    Image,
    ImageFormat,
    ImageItems,
    Images,
    LinuxProfile,
    LocalizedMessage,
    OpStatus,
    PublishImage,
    PublishImageOpenStack,
    Quota,
    StatTicket,
    TargetFormat,
    UForgeError,
    UriList,
)
from deployments.gateway.wire.documents import render

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NS = 'xmlns:ns0="http://www.usharesoft.com/uforge"'
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _xml(document: Document) -> str:
    return render(document, "xml").decode().removeprefix(_HEAD)


def _json(document: Document) -> Any:
    return json.loads(render(document, "json"))


def test_root_alone_has_the_prefix() -> None:
    """The root element is in the namespace by a prefix, its children are in none, base elements come first."""
    image = Image(name="wordpress", db_id=42, status=OpStatus(percentage=35, complete=False))
    expected = "<dbId>42</dbId><status><complete>false</complete><percentage>35</percentage></status>"
    assert _xml(image) == f"<ns0:image {_NS}>{expected}<name>wordpress</name></ns0:image>"


def test_empty_lists() -> None:
    """An empty list has its wrapper, in JSON with an empty array."""
    assert _xml(Images(total=0)) == f"<ns0:images {_NS}><total>0</total><images/></ns0:images>"
    assert _json(Images(total=0)) == {"images": {"total": 0, "images": {"image": []}}}


def test_items_are_arrays() -> None:
    """One item is an array of one, addresses likewise; what is absent is left out."""
    assert _json(Images(images=ImageItems(image=(Image(db_id=1),)))) == {"images": {"images": {"image": [{"dbId": 1}]}}}
    formats = TargetFormat(target_platforms_uri_list=UriList(uri=("a",)))
    assert _json(formats) == {"targetFormat": {"targetPlatformsUriList": {"uri": ["a"]}}}


@pytest.mark.parametrize(
    ("document", "root", "name"),
    [
        (PublishImageOpenStack(), "publishImage", "PublishImageOpenStack"),
        (LinuxProfile(), "distribProfile", "LinuxProfile"),
        (CredAccountOpenStack(), "credAccount", "CredAccountOpenStack"),
    ],
)
def test_abstract_types_at_the_root(document: Document, root: str, name: str) -> None:
    """A document of an abstract type tells its concrete type, by a prefix that is bound to the namespace."""
    assert _xml(document) == f'<ns0:{root} {_NS} {_XSI} xsi:type="ns0:{name}"/>'
    assert _json(document) == {root: {"@type": name}}


def test_abstract_types_below() -> None:
    """Likewise where one occurs inside another document."""
    image = Image(cred_account=CredAccountOpenStack(name="lab"))
    account = f'<credAccount {_XSI} xsi:type="ns0:CredAccountOpenStack"><name>lab</name></credAccount>'
    assert _xml(image) == f"<ns0:image {_NS}>{account}</ns0:image>"
    assert _json(image) == {"image": {"credAccount": {"@type": "CredAccountOpenStack", "name": "lab"}}}


def test_moments() -> None:
    """A moment is written in UTC with milliseconds and Z."""
    moment = datetime(2026, 1, 2, 4, 4, 5, 678_999, tzinfo=timezone(timedelta(hours=1)))
    assert "<created>2026-01-02T03:04:05.678Z</created>" in _xml(Image(created=moment))
    assert _json(Image(created=moment.replace(microsecond=0))) == {"image": {"created": "2026-01-02T03:04:05.000Z"}}


def test_what_xml_cannot_say() -> None:
    """Characters that no XML document may hold are replaced, so that a tool's output never spoils an answer."""
    status = OpStatus(message="\x1b[1mfailed\x00\ud800 \r\n<&>")
    assert "<message>\ufffd[1mfailed\ufffd\ufffd &#13;\n&lt;&amp;&gt;</message>" in _xml(status)
    assert "\ufffd \\r\\n" in render(status, "json").decode()


@pytest.mark.parametrize(
    "document",
    [
        ImageFormat(name="openstack-qcow2"),
        OpStatus(percentage=101),
        OpStatus(percentage=-1),
        Image(revision=2**31),
        Image(size=2**63),
        Image(size=True),
        Image(uri="/users/guest"),
        Image(uri="users/guest/"),
        Image(uri="https://host/api/users/guest"),
        Image(created=datetime(2026, 1, 1)),  # noqa: DTZ001 - what is refused
        Image(name=5),  # type: ignore[arg-type] # what is refused
        Image(status=Image()),  # type: ignore[arg-type] # what is refused
        Images(images=ImageItems(image=[Image()])),  # type: ignore[arg-type] # what is refused
        Images(images=ImageItems(image=(Quota(),))),  # type: ignore[arg-type] # what is refused
        StatTicket(price=float("nan")),
        Quota(type="images"),
        Image(cred_account=CredAccount()),
        PublishImage(),
        ImageItems(),
        LocalizedMessage(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("media", ["xml", "json"])
def test_never_sent(document: Document, media: Any) -> None:
    """What a reader would refuse is our own error, told with the element, and is not sent."""
    with pytest.raises(Contradiction, match="can't be written"):
        render(document, media)


def test_the_element_is_named() -> None:
    """The error names the way to the wrong element."""
    wrong = Images(images=ImageItems(image=(Image(format=ImageFormat(name="box")),)))
    with pytest.raises(Contradiction, match=r"images\.image\.format\.name: 'box'"):
        render(wrong, "xml")


def test_errors() -> None:
    """An error has its elements in the order of the schema."""
    error = UForgeError(localized_error_msg=LocalizedMessage(message="no"), request_method="GET", status_code=404)
    expected = "<localizedErrorMsg><message>no</message></localizedErrorMsg><requestMethod>GET</requestMethod>"
    assert _xml(error) == f"<ns0:uforgeError {_NS}>{expected}<statusCode>404</statusCode></ns0:uforgeError>"


def test_utc_stays() -> None:
    """A moment that is in UTC already keeps its hour."""
    assert "T23:59:59.000Z" in _xml(Image(created=datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)))
