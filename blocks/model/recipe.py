"""The recipe: the frozen request of one generation, copied into the record so that it outlives the appliance."""

from __future__ import annotations

from operator import not_
from typing import Literal, Self

from pydantic import Field, model_validator

from blocks.model import grammar
from blocks.model.appliance import Appliance, InstallProfile, OSProfile
from blocks.model.target import TARGETS, Format, TargetName
from blocks.model.words import Words

StageName = Literal["resolve", "rootfs", "disk", "pack"]


class Recipe(Words):
    """OS profile, install profile, target format and compression, with the appliance's name of that time.

    `target` is the label it was asked for by; without one it counts as the label of its format. With `simulated` no
    image is made, the packages are resolved only. `check_dependencies` asks for that anew, which always happens.
    None of the three has a part in the digest of a stage.
    """

    name: grammar.ApplianceName
    version: grammar.ApplianceVersion
    revision: grammar.Number
    os_profile: OSProfile
    install_profile: InstallProfile
    format: Format = "qcow2"
    compress: bool = True
    target: TargetName | None = Field(default=None, exclude_if=not_)
    simulated: bool = Field(default=False, exclude_if=not_)
    check_dependencies: bool = Field(default=False, exclude_if=not_)

    @model_validator(mode="after")
    def _of_its_format(self) -> Self:
        check_target(self.target, self.format)
        return self

    @classmethod
    def of(cls, appliance: Appliance, os_profile: OSProfile, target: Format, *, compress: bool) -> Recipe:
        """The request to generate `target` from `appliance` as it is now."""
        return cls(
            name=appliance.name,
            version=appliance.version,
            revision=appliance.revision,
            os_profile=os_profile,
            install_profile=appliance.install_profile,
            format=target,
            compress=compress,
        )


def check_target(target: TargetName | None, made: Format) -> None:
    """Raise ValueError unless an image for that target is a file of that format."""
    if target is not None and TARGETS[target].format != made:
        raise ValueError(f"for the target {target} the format {TARGETS[target].format} is allowed")
