"""Stage pack: from the raw disk to the image file of the target format, by a table that later formats join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blocks.builder import sandbox
from blocks.builder.checkpoints import Checkpoint
from blocks.builder.job import Job
from blocks.builder.order import Order, Workshop
from blocks.builder.programs import layout
from blocks.model import Format, Recipe, digest

FORMAT = 1
_ZSTD = ("zstd", "-T0", "-3", "--force", "--no-progress", "-q", "{source}", "-o", "{target}")
_COPY = ("cp", "--sparse=always", "{source}", "{target}")
_QEMU = ("qemu-img", "convert", "-f", "raw", "-O")


@dataclass(frozen=True)
class Packing:
    """How one kind of image file is made: the file's suffix, what a reader must undo, and the tool's argv."""

    suffix: str
    compression: Literal["none", "zstd"]
    argv: tuple[str, ...]


PACKINGS: Mapping[tuple[Format, bool], Packing] = {
    ("raw", False): Packing(".raw", "none", _COPY),
    ("raw", True): Packing(".raw.zst", "zstd", _ZSTD),
    ("qcow2", False): Packing(".qcow2", "none", (*_QEMU, "qcow2", "{source}", "{target}")),
    ("qcow2", True): Packing(
        ".qcow2", "zstd", (*_QEMU, "qcow2", "-c", "-o", "compression_type=zstd", "{source}", "{target}")
    ),
}


def packing(recipe: Recipe) -> Packing:
    """The table's row for a recipe."""
    return PACKINGS[recipe.format, recipe.compress]


def identity(recipe: Recipe, disk: str) -> str:
    """The digest that names this stage's output, and so the image."""
    return digest(
        {"stage": "pack", "format": FORMAT, "disk": disk, "target": recipe.format, "compress": recipe.compress}
    )


def build(order: Order, disk: Checkpoint, workshop: Workshop, output: Path, job: Job) -> Mapping[str, int]:
    """Write the image file to `output`/data."""
    tools = workshop.tools(order.lock, job)
    place = sandbox.Layout(tools, output, 16 * layout.MEBIBYTE, inputs={"disk.raw": disk.path})
    sandbox.execute("pack", {"argv": list(packing(order.recipe).argv)}, place, job)
    (output / "image").rename(output / "data")
    return dict(disk.facts)


def filename(recipe: Recipe, ticket: int) -> str:
    """The image file's name, for people: appliance, version, ticket and suffix."""
    words = f"{recipe.name}-{recipe.version}-{ticket}".replace(" ", "_")
    return f"{words}{packing(recipe).suffix}"
