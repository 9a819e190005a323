"""The recipe: the frozen request of one generation, copied into the record so that it outlives the appliance."""

from __future__ import annotations

from typing import Literal

from blocks.model import grammar
from blocks.model.appliance import Appliance, InstallProfile, OSProfile
from blocks.model.words import Words

Format = Literal["raw", "qcow2"]
StageName = Literal["resolve", "rootfs", "disk", "pack"]


class Recipe(Words):
    """OS profile, install profile, target format and compression, with the appliance's name of that time."""

    name: grammar.ApplianceName
    version: grammar.ApplianceVersion
    revision: grammar.Number
    os_profile: OSProfile
    install_profile: InstallProfile
    format: Format = "qcow2"
    compress: bool = True

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
