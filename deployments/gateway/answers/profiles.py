"""Profiles: what is installed, and how. Sizes are in MiB, as every client takes them."""

from __future__ import annotations

from blocks.model import InstallProfile, OSProfile, User
from deployments.gateway import wire
from deployments.gateway.answers import uris
from deployments.gateway.answers.sealing import sealed

ARCHITECTURE = "x86_64"


def install_profile(profile: InstallProfile, uri: str, appliance: str | None = None) -> wire.InstallProfile:
    """How it is installed; `uri` is that of what has the profile. No password and no hash is told."""
    disk = wire.Disk(name="sda", size=profile.disk_size)
    return sealed(
        wire.InstallProfile(
            appliance_uri=appliance,
            disk_size=profile.disk_size,
            firewall_enabled=False,
            internet_settings_auto=profile.network == "dhcp",
            kernel_parameters=",".join(profile.kernel_command_line) or None,
            keyboard_auto=True,
            memory_size=profile.memory_size,
            partition_auto=True,
            partition_table=wire.PartitionTable(disks=wire.DiskItems(disk=(disk,))),
            skip_licenses=True,
            swap_size=profile.swap_size,
            timezone=profile.timezone,
            timezone_auto=True,
            uri=f"{uri}/installProfile",
            users=wire.OSUserItems(user=tuple(_account(each) for each in profile.users)),
        )
    )


def os_profile(profile: OSProfile, appliance: str, number: int) -> wire.LinuxProfile:
    """What is installed; it has the number of its appliance."""
    uri = f"{appliance}/osprofile/{number}"
    return sealed(
        wire.LinuxProfile(
            db_id=number,
            active=True,
            appliance_uri=appliance,
            arch=ARCHITECTURE,
            description=f"{len(profile.packages)} packages by name, of {', '.join(profile.components)}",
            name=distribution_name(profile),
            uri=uri,
            version=profile.suite,
            packages_uri=f"{uri}/pkgs",
        )
    )


def distribution_name(profile: OSProfile) -> str:
    """The distribution with its suite."""
    return f"{profile.distribution} {profile.suite}"


def profile_uri(owner: str, appliance: int) -> str:
    """Where an appliance's install profile is."""
    return f"{uris.appliance(owner, appliance)}/installProfile/{appliance}"


def _account(user: User) -> wire.OSUser:
    return wire.OSUser(
        disable_password_login=user.password_hash is None,
        name=user.name,
        password_auto=True,
        primary_group=user.name,
        primary_group_auto=True,
        secondary_groups=",".join(user.groups) or None,
        shell=user.shell,
        system_user=False,
        user_id_auto=True,
    )
