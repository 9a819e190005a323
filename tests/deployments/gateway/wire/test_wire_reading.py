"""Bodies are read leniently, and what can't be read is one clear error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.errors import InvalidInput, Malformed
from deployments.gateway.wire import (
    CredAccount,
    CredAccountOpenStack,
    DistribProfile,
    Image,
    ImageFormat,
    LinuxProfile,
    PublishImage,
    PublishImageOpenStack,
    TargetFormat,
)
from deployments.gateway.wire.documents import Media, parse
from deployments.gateway.wire.unfit import COUNT, DEPTH, LIMIT

_NS = "http://www.usharesoft.com/uforge"
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def _image(content: str) -> Image:
    return parse(Image, f'<u:image xmlns:u="{_NS}" {_XSI}>{content}</u:image>'.encode(), "xml")


def _nested(depth: int) -> bytes:
    return f"<image>{'<x>' * (depth - 1)}{'</x>' * (depth - 1)}</image>".encode()


@pytest.mark.parametrize(
    "body",
    [
        f'<q:image xmlns:q="{_NS}"><name>wordpress</name><compress>true</compress></q:image>',
        f'<image xmlns="{_NS}"><compress>true</compress><name>wordpress</name></image>',
        "<image><compress>true</compress><name>wordpress</name></image>",
        '<?xml version="1.0" standalone="yes"?>\n<image><compress>1</compress><name>wordpress</name></image>',
        "\ufeff<image><compress> True </compress><!-- ours --><name>word<![CDATA[press]]></name></image>",
        "<image a='b'><compress>true</compress><compress>false</compress><name>wordpress</name></image>",
        "<image>x<applianceUri>x</applianceUri><a><name>x</name></a><compress>TRUE</compress><name>wordpress</name></image>",
    ],
)
def test_prefixes_order_and_unknown_elements(body: str) -> None:
    """Any prefix, any order, unknown elements and attributes are fine; the first of repeated elements counts."""
    assert parse(Image, body.encode(), "xml") == Image(compress=True, name="wordpress")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<compress></compress><dbId> </dbId><created/><revision>\n</revision>", Image()),
        ("<name></name><tag> a </tag>", Image(name="", tag=" a ")),
        ("<compress>False</compress><ebs>0</ebs>", Image(compress=False, ebs=False)),
        ("<dbId> +42 </dbId><size>-1</size>", Image(db_id=42, size=-1)),
        ("<created>2026-01-02T03:04:05</created>", Image(created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))),
        (
            "<created>2026-01-02T04:04:05.5+01:00</created>",
            Image(created=datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ),
        ("<format><name>floppy</name></format>", Image(format=ImageFormat(name="floppy"))),
        ("<uri>https://host/api/users/guest/</uri>", Image(uri="https://host/api/users/guest/")),
    ],
)
def test_leaves(body: str, expected: Image) -> None:
    """Blanks are absent, booleans are read in any case, moments with any zone; unknown words and addresses stay."""
    assert _image(body) == expected


def test_types_on_leaves() -> None:
    """A type on a leaf means nothing, also one that doesn't exist; nor does one on a document that it isn't of."""
    leaves = '<name xsi:type="u:string">a</name><compress xsi:type="u:int">true</compress>'
    other = '<targetFormat xsi:type="u:Appliance"><name>RAW</name></targetFormat>'
    assert _image(leaves + other) == Image(name="a", compress=True, target_format=TargetFormat(name="RAW"))


@pytest.mark.parametrize("prefix", ["ns0", "ns1", "zzz"])
def test_concrete_types(prefix: str) -> None:
    """An abstract type is read as the concrete one that is told, at the root and below, by any prefix."""
    account = f'<credAccount xsi:type="{prefix}:CredAccountOpenStack"><login>me</login></credAccount>'
    root = f'{prefix}:publishImage xmlns:{prefix}="{_NS}" {_XSI} xsi:type="{prefix}:PublishImageOpenStack"'
    found = parse(
        PublishImage, f"<{root}>{account}<tenantName>lab</tenantName></{prefix}:publishImage>".encode(), "xml"
    )
    assert found == PublishImageOpenStack(cred_account=CredAccountOpenStack(login="me"), tenant_name="lab")


def test_concrete_types_in_json() -> None:
    """Likewise by `@type`; one that is no such type means nothing."""
    body = {"publishImage": {"@type": "PublishImageOpenStack", "credAccount": {"@type": "Image", "name": "a"}}}
    found = parse(PublishImage, json.dumps(body).encode(), "json")
    assert found == PublishImageOpenStack(cred_account=CredAccount(name="a"))


@pytest.mark.parametrize("media", ["xml", "json"])
def test_concrete_roots(media: Media) -> None:
    """An OS profile may stand under the root element of its concrete type."""
    body = {"xml": b"<linuxProfile><name>Debian</name></linuxProfile>", "json": b'{"linuxProfile":{"name":"Debian"}}'}
    assert parse(DistribProfile, body[media], media) == LinuxProfile(name="Debian")


def test_json_is_lenient() -> None:
    """In JSON null and blanks are absent, one item may stand without its array, numbers and texts for each other."""
    image: dict[str, Any] = {"dbId": "42", "name": 7, "compress": "True", "tag": None, "size": "", "unknown": {"a": []}}
    image["targetFormat"] = {"targetPlatformsUriList": {"uri": "a"}}
    found = parse(Image, json.dumps({"image": image}).encode(), "json")
    assert (found.db_id, found.name, found.compress, found.tag, found.size) == (42, "7", True, None, None)
    assert found.target_format is not None
    assert found.target_format.target_platforms_uri_list is not None
    assert found.target_format.target_platforms_uri_list.uri == ("a",)


_ENTITY = '<!ENTITY a "ha">'
_BOMB = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\xff\xfe",
        b"<image>\xff</image>",
        "<image/>".encode("utf-16"),
        b"<image>",
        b"<image/><image/>",
        b"<image><name>a</image></name>",
        b"<x:image/>",
        b"<images/>",
        b"<ImageItems/>",
        b"<image><name><b/></name></image>",
        b"<image><compress>yes</compress></image>",
        b"<image><dbId>1.0</dbId></image>",
        b"<image><dbId>1_0</dbId></image>",
        b"<image><dbId>9223372036854775808</dbId></image>",
        b"<image><revision>2147483648</revision></image>",
        b"<image><dbId>" + b"9" * 100_000 + b"</dbId></image>",
        b"<image><status><percentage>101</percentage></status></image>",
        b"<image><created>2026-01-02</created></image>",
        b"<image><created>2026-01-02T03:04:05+0000</created></image>",
        b"<image><created>99999-01-02T03:04:05Z</created></image>",
        b"<image><created>0001-01-01T00:00:00+14:00</created></image>",
        b"<image><name>&#0;</name></image>",
        b"<image><name>&a;</name></image>",
        b"<!DOCTYPE image><image/>",
        f"<!DOCTYPE image [{_ENTITY}]><image><name>&a;</name></image>".encode(),
        f'<!DOCTYPE image [<!ENTITY a0 "ha">{_BOMB}]><image><name>&a9;</name></image>'.encode(),
        b'<!DOCTYPE image [<!ENTITY a SYSTEM "file:///etc/passwd">]><image><name>&a;</name></image>',
        b'<!DOCTYPE image SYSTEM "http://127.0.0.1:9/x.dtd"><image/>',
        b'<?xml version="1.0" encoding="cp037"?>' + "<image/>".encode("cp037"),
        b'<?xml version="1.0"?><?xml version="1.0"?><image/>',
        b'<?xml version="1.0"?><?xml version="1.0" encoding="cp037"?>' + "<image/>".encode("cp037"),
        _nested(DEPTH + 1),
        _nested(100_000),
        b"<image>" + b"<a/>" * COUNT + b"</image>",
        b"<image>" + b" " * LIMIT + b"</image>",
    ],
    ids=lambda body: repr(body[:60]),
)
def test_malformed_xml(body: bytes) -> None:
    """Whatever is wrong with a body of XML is one error, short, that says what is asked for."""
    with pytest.raises(Malformed, match="The body can't be read as image: ") as raised:
        parse(Image, body, "xml")
    assert len(str(raised.value)) < 400
    assert isinstance(raised.value, InvalidInput)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"image"',
        b"{}",
        b'{"image":{}',
        b'{"image":null}',
        b'{"image":[]}',
        b'{"image":"a"}',
        b'{"images":{}}',
        b'{"image":{},"name":"a"}',
        b'{"image":{"dbId":1.0}}',
        b'{"image":{"dbId":true}}',
        b'{"image":{"dbId":NaN}}',
        b'{"image":{"dbId":1e400}}',
        b'{"image":{"dbId":' + b"9" * 5000 + b"}}",
        b'{"image":{"dbId":9223372036854775808}}',
        b'{"image":{"dbId":{}}}',
        b'{"image":{"name":["a"]}}',
        b'{"image":{"compress":2}}',
        b'{"image":{"created":5}}',
        b'{"image":{"status":"a"}}',
        b'{"image":{"status":{"percentage":-1}}}',
        b'{"image":{"name":"\xff"}}',
        b"[" * 100_000,
        b'{"image":' * 500 + b"1" + b"}" * 500,
        b'{"a' + b'\\"' * 400_000,
        b'{"image":{"x":[' + b"{}," * COUNT + b"{}]}}",
        b'{"image":"' + b"a" * LIMIT + b'"}',
    ],
    ids=lambda body: repr(body[:60]),
)
def test_malformed_json(body: bytes) -> None:
    """Whatever is wrong with a body of JSON is the same error."""
    with pytest.raises(Malformed, match="The body can't be read as image: ") as raised:
        parse(Image, body, "json")
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("body", "media"), [(_nested(DEPTH), "xml"), (b'{"image":{"x":' + b"[" * 60 + b"]" * 60 + b"}}", "json")]
)
def test_limits_leave_room(body: bytes, media: Media) -> None:
    """What is just within the limits is read."""
    assert parse(Image, body, media) == Image()


def test_a_parser_that_knows_no_qname_of_ours() -> None:
    """A body that looks like the binding library's own words is read as what it says, nothing else."""
    body = b'{"image":{"qname":"a","type":"b","value":{"name":"c"}}}'
    assert parse(Image, body, "json") == Image()
