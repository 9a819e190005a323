"""The request: what a flow is asked for, validated whole before anything else happens."""

from __future__ import annotations

from operator import not_
from typing import Self

from pydantic import Field, model_validator

from blocks.model import grammar
from blocks.model.policy import Policy
from blocks.model.recipe import check_target
from blocks.model.target import TARGETS, Format, TargetName
from blocks.model.words import Words, unset


class Request(Words):
    """What regenerating and generating have in common; a `ticket` that exists already comes with its `token`."""

    user: grammar.UserName
    appliance: grammar.Number
    force: bool = False
    key: grammar.IdempotencyKey | None = None
    ticket: grammar.Number | None = None
    token: str | None = Field(default=None, max_length=100, repr=False)


class Regeneration(Request):
    """Make `image` again, or with `newest` the newest complete image of its lineage.

    `plan` names the archive's state that the request was made for.
    """

    image: grammar.Number
    policy: Policy | None = None
    rebuild: bool = False
    newest: bool = False
    plan: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")


class FirstGeneration(Request):
    """Make an appliance's image for the first time, in a format, compressed or not.

    `target` is the label of a target format, of which `format` is the file's; without one it is what fits. The sizes
    (MiB) hold instead of those of the install profile. With `simulated` the packages are resolved and no image is made.
    """

    format: Format = "qcow2"
    compress: bool = True
    target: TargetName | None = Field(default=None, exclude_if=not_)
    simulated: bool = Field(default=False, exclude_if=not_)
    check_dependencies: bool = Field(default=False, exclude_if=not_)
    disk_size: grammar.Mebibytes | None = Field(default=None, exclude_if=unset)
    memory_size: grammar.Mebibytes | None = Field(default=None, exclude_if=unset)
    swap_size: grammar.Mebibytes | None = Field(default=None, exclude_if=unset)

    @model_validator(mode="before")
    @classmethod
    def _with_a_format(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("format") is not None:
            return given
        found = next((each for label, each in TARGETS.items() if label == given.get("target")), TARGETS["QCOW2"])
        return {**given, "format": found.format}

    @model_validator(mode="after")
    def _of_its_format(self) -> Self:
        check_target(self.target, self.format)
        return self

    def overrides(self) -> dict[str, int]:
        """The sizes that hold instead of those of the install profile, by its fields."""
        sizes = {"disk_size": self.disk_size, "memory_size": self.memory_size, "swap_size": self.swap_size}
        return {name: size for name, size in sizes.items() if size is not None}
