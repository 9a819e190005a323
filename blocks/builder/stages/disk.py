"""Stage disk: from the root file system's tar to a raw disk that boots with BIOS and with UEFI."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blocks.builder import sandbox
from blocks.builder.checkpoints import Checkpoint
from blocks.builder.job import Job
from blocks.builder.order import Order, Workshop
from blocks.builder.process import ProgramFailed
from blocks.builder.programs import layout
from blocks.errors import DiskTooSmall
from blocks.model import InstallProfile, Recipe, digest

FORMAT = 1
_NAMES = ("disk", "grub", "efi", "swap", "root", "filesystem", "swap_area")
_LEAST = 64


def identity(recipe: Recipe, rootfs: str) -> str:
    """The digest that names this stage's output, made from the digest of the stage before."""
    profile = recipe.install_profile
    return digest(
        {
            "stage": "disk",
            "format": FORMAT,
            "rootfs": rootfs,
            "disk_size": profile.disk_size,
            "swap_size": profile.swap_size,
            "kernel_command_line": profile.kernel_command_line,
        }
    )


def build(order: Order, name: str, rootfs: Checkpoint, workshop: Workshop, output: Path, job: Job) -> Mapping[str, int]:
    """Write the raw disk to `output`/data; raises DiskTooSmall if the content doesn't fit."""
    profile = order.recipe.install_profile
    content = rootfs.facts["content"]
    room = (profile.disk_size - profile.swap_size - _LEAST) * layout.MEBIBYTE
    if room < content:
        raise _too_small(profile, content)
    tools = workshop.tools(order.lock, job)
    place = sandbox.Layout(
        tools, output, (profile.swap_size + 256) * layout.MEBIBYTE, inputs={"rootfs.tar": rootfs.path}
    )
    try:
        sandbox.execute("disk", _specification(order, name, rootfs), place, job)
    except ProgramFailed as error:
        if any("allocate" in row or "no free space" in row.lower() for row in error.tail):
            raise _too_small(profile, content) from error
        raise
    (output / "disk.raw").rename(output / "data")
    return {"epoch": rootfs.facts["epoch"]}


def identities(name: str) -> dict[str, str]:
    """Every UUID and serial of the disk, from the stage's own digest."""
    space = uuid.UUID(name[:32])
    return {**{part: str(uuid.uuid5(space, part)) for part in _NAMES}, "serial": name[:8].upper()}


def _specification(order: Order, name: str, rootfs: Checkpoint) -> dict[str, Any]:
    profile = order.recipe.install_profile
    return {
        "epoch": rootfs.facts["epoch"],
        "content": rootfs.facts["content"],
        "disk_size": profile.disk_size * layout.MEBIBYTE,
        "swap_size": profile.swap_size * layout.MEBIBYTE,
        "identities": identities(name),
        "arguments": list(profile.kernel_command_line),
    }


def _too_small(profile: InstallProfile, content: int) -> DiskTooSmall:
    least = content // layout.MEBIBYTE * 5 // 4 + _LEAST + profile.swap_size
    return DiskTooSmall(
        f"The content takes about {content // layout.MEBIBYTE} MiB and doesn't fit on a disk of {profile.disk_size} MiB"
        f"{f' with {profile.swap_size} MiB of swap' if profile.swap_size else ''}",
        f"Set the install profile's disk_size to at least {least} MiB",
    )
