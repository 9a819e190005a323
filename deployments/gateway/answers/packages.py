"""Packages: those of an image with how they came into it, and those that an OS profile names."""

from __future__ import annotations

from collections.abc import Collection

from blocks.model import Package
from deployments.gateway import wire
from deployments.gateway.answers.sealing import sealed

_TYPE = "application/vnd.debian.binary-package"


def image_package(package: Package, named: Collection[str], *, native: bool) -> wire.ImagePkg:
    """A package of an image: level 0 if the OS profile names it, 1 if another package needs it."""
    return wire.ImagePkg(level=int(package.name not in named), native_from_distribution=native, pkg=_package(package))


def named_package(name: str) -> wire.Pkg:
    """A package that an OS profile names; which version that is, the next generation decides."""
    return sealed(wire.Pkg(arch="x86_64", install=True, name=name, sticky=False, type=_TYPE))


def _package(package: Package) -> wire.Pkg:
    epoch, colon, rest = package.version.partition(":")
    version, _, release = (rest if colon else epoch).rpartition("-")
    return sealed(
        wire.Pkg(
            mime_type=_TYPE,
            sha256sum=package.sha256,
            size=package.size,
            arch=package.architecture,
            full_name=package.origin.filename.rpartition("/")[2],
            install=True,
            name=package.name,
            release=release if version else None,
            repository_name=f"{package.origin.archive} {package.origin.suite} {package.origin.component}",
            type=_TYPE,
            version=version or release,
            epoch=int(epoch) if colon and epoch.isdigit() and len(epoch) < 10 else 0,
        )
    )
