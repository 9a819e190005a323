"""An example of each document that stands on its own, as the gateway would write it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from deployments.gateway import wire
from deployments.gateway.wire.elements import KINDS, Document, Element, elements
from deployments.gateway.wire.grammar import OneOf

_MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_APPLIANCE = "users/guest/appliances/5"
_IMAGE = f"{_APPLIANCE}/images/42"
_DIGEST = "9e107d9d372bb6826bd81d3542a419d6"

_FORMAT = wire.TargetFormat(
    db_id=2,
    name="QCOW2",
    format=wire.ImageFormat(db_id=2, name="qcow2"),
    category=wire.Category(db_id=1, name="Virtual", type="IMAGEFORMAT"),
    type="virtual",
    access=True,
    active=True,
    uri="orgs/1/targetformats/2",
)
_STATUS = wire.OpStatus(
    db_id=42,
    digest=_DIGEST,
    cancelled=False,
    complete=False,
    detailed_error=False,
    error=False,
    message="Installing packages",
    parent_uri=_IMAGE,
    percentage=35,
    uri=f"{_IMAGE}/status",
)
_PROFILE = wire.InstallProfile(db_id=5, disk_size=4096, memory_size=1024, swap_size=512, timezone="Etc/UTC")
_PICTURED: tuple[Document, ...] = (
    _FORMAT,
    _STATUS,
    _PROFILE,
    wire.Image(
        created=_MOMENT,
        db_id=42,
        digest=_DIGEST,
        last_modified=_MOMENT,
        size=0,
        status=_STATUS,
        parent_uri=_APPLIANCE,
        compress=True,
        file_size=0,
        format=_FORMAT.format,
        target_format=_FORMAT,
        install_profile=_PROFILE,
        name="wordpress",
        pkgs_uri=f"{_IMAGE}/pkgs",
        revision=3,
        status_uri=f"{_IMAGE}/status",
        uri=_IMAGE,
        version="1.0",
    ),
    wire.Appliance(
        created=_MOMENT,
        db_id=5,
        digest=_DIGEST,
        last_modified=_MOMENT,
        arch_name="x86_64",
        base_images_uri=f"{_APPLIANCE}/images",
        distribution_name="Debian",
        image_uris=wire.UriList(uri=(_IMAGE,)),
        name="wordpress",
        revision=3,
        uri=_APPLIANCE,
        version="1.0",
    ),
    wire.LinuxProfile(db_id=5, arch="x86_64", name="Debian", uri=f"{_APPLIANCE}/osprofile/5", version="12"),
    wire.Pkg(db_id=7, size=1380, arch="amd64", name="nginx", version="1.22.1-9", uri=f"{_IMAGE}/pkgs/7"),
    wire.ImagePkg(level=0, native_from_distribution=True, pkg=wire.Pkg(arch="amd64", name="nginx", version="1.22.1-9")),
    wire.Distribution(db_id=1, arch="x86_64", family="linux", name="Debian", version="12", uri="distributions/1"),
    wire.TargetPlatform(db_id=1, name="OpenStack", type="openstack", access=True, active=True),
    wire.User(
        created=_MOMENT,
        db_id=3,
        login_name="guest",
        active=True,
        base_images_uri="users/guest/images",
        uri="users/guest",
    ),
    wire.Entitlement(description="May have images generated", name="image_generate"),
    wire.Quota(db_id=1, frequency="monthly", limit=-1, nb=3, type="generation"),
    wire.APIKeyPair(db_id=1, name="build server", public_key="PUBLIC", uri="users/guest/apikeys/1"),
    wire.ServiceStatus(alive=True, version="3.8.13", service_load=0),
    wire.UForgeError(
        localized_error_msg=wire.LocalizedMessage(message="There is no image 42", message_id="not.found"),
        request_method="GET",
        request_uri=_IMAGE,
        status_code=404,
        timestamp=_MOMENT,
    ),
)
_TELLING: dict[tuple[str, type], object] = {("total", int): 1, ("name", str): "example", ("dbId", int): 1}
_SHOWN: dict[type[Document], Document] = {type(shown): shown for shown in _PICTURED}


def example(kind: type[Document]) -> Document:
    """An example of the kind, of one of its concrete types if it is abstract."""
    if kind not in _SHOWN:
        _SHOWN[kind] = _made(kind)
    return _SHOWN[kind]


def _made(kind: type[Document]) -> Document:
    """An example that was not pictured: a list of one item, or something with a name."""
    if kind.abstract:
        return example(next(other for other in KINDS.values() if issubclass(other, kind) and not other.abstract))
    made: Any = kind
    shown = {
        element.attribute: _value(element, lists=issubclass(kind, wire.UForgeObjects)) for element in elements(kind)
    }
    return made(**{name: value for name, value in shown.items() if value is not None})  # type: ignore[no-any-return]


def _value(element: Element, *, lists: bool) -> object:
    if element.many:
        return (example(element.kind) if issubclass(element.kind, Document) else "one",)
    if issubclass(element.kind, Document):
        return example(element.kind) if lists else None
    told = _TELLING.get((element.name, element.kind))
    return element.grammar.words[0] if told and isinstance(element.grammar, OneOf) else told
