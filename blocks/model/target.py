"""The target formats: what an image can be made for, as users name it, and the platforms that take it.

A target format's `label` is what users ask for; its `primitive` is UForge's name for the kind of file, of its fixed
list; `format` is the file that we make for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from blocks.model import grammar
from blocks.model.words import Words

Format = Literal["raw", "qcow2"]
TargetName = Literal["RAW", "QCOW2", "KVM", "OpenStack QCOW2", "CloudStack QCOW2"]
Primitive = Literal["raw", "qcow2", "kvm", "openstackqcow2", "cloudstackqcow2"]
PlatformType = Literal["openstack", "cloudstack"]


class Category(Words):
    """What target formats are grouped by."""

    id: grammar.Number
    name: str


class TargetFormat(Words):
    """One target format; `platform` is the kind of cloud that takes it, if it is one's. `compress` is its custom."""

    id: grammar.Number
    label: TargetName
    primitive: Primitive
    format: Format
    type: Literal["virtual", "cloud"]
    category: Category
    platform: PlatformType | None = None
    compress: bool = True


class TargetPlatform(Words):
    """A kind of cloud that images are published on."""

    id: grammar.Number
    name: str
    type: PlatformType


_VIRTUAL = Category(id=1, name="Virtual")
_CLOUD = Category(id=2, name="Cloud")


def _by_label(formats: Iterable[TargetFormat]) -> dict[TargetName, TargetFormat]:
    return {each.label: each for each in formats}


TARGETS: dict[TargetName, TargetFormat] = _by_label(
    (
        TargetFormat(id=1, label="RAW", primitive="raw", format="raw", type="virtual", category=_VIRTUAL),
        TargetFormat(id=2, label="QCOW2", primitive="qcow2", format="qcow2", type="virtual", category=_VIRTUAL),
        TargetFormat(id=3, label="KVM", primitive="kvm", format="qcow2", type="virtual", category=_VIRTUAL),
        TargetFormat(
            id=4,
            label="OpenStack QCOW2",
            primitive="openstackqcow2",
            format="qcow2",
            type="cloud",
            category=_CLOUD,
            platform="openstack",
            compress=False,
        ),
        TargetFormat(
            id=5,
            label="CloudStack QCOW2",
            primitive="cloudstackqcow2",
            format="qcow2",
            type="cloud",
            category=_CLOUD,
            platform="cloudstack",
        ),
    )
)

PLATFORMS: tuple[TargetPlatform, ...] = (
    TargetPlatform(id=1, name="OpenStack", type="openstack"),
    TargetPlatform(id=2, name="CloudStack", type="cloudstack"),
)


def target(label: TargetName | None, made: Format) -> TargetFormat:
    """The target format of that label, or without one that of the file's own format."""
    return TARGETS[label or ("RAW" if made == "raw" else "QCOW2")]


def taken_by(platform: TargetPlatform) -> tuple[TargetFormat, ...]:
    """The target formats that the platform takes."""
    return tuple(each for each in TARGETS.values() if each.platform == platform.type)
