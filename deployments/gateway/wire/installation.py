"""The install profile: disk, memory and people of the system in an image."""

from __future__ import annotations

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Int, Keyboard, Long, SecurityMode, Uri
from deployments.gateway.wire.objects import UForgeObject
from deployments.gateway.wire.partitions import PartitionTable


@document("sshKey")
class SSHKey(UForgeObject):
    """A public key."""

    name: str | None = None
    public_key: str | None = None
    uri: Uri | None = None


@document("osGroup")
class OSGroup(UForgeObject):
    """A group of the system in an image."""

    group_id: str | None = None
    group_id_auto: bool | None = None
    name: str | None = None
    sudo: Int | None = None
    system_group: bool | None = None
    uri: Uri | None = None
    password: str | None = None
    encrypted: bool | None = None


@document()
class SSHKeyItems(Document):
    """The sshKeys of a list."""

    ssh_key: tuple[SSHKey, ...] = ()


@document("osUser")
class OSUser(UForgeObject):
    """A user of the system in an image."""

    disable_password_login: bool | None = None
    encrypted: bool | None = None
    full_name: str | None = None
    home_dir: str | None = None
    name: str | None = None
    password: str | None = None
    password_auto: bool | None = None
    primary_group: str | None = None
    primary_group_auto: bool | None = None
    secondary_groups: str | None = None
    shell: str | None = None
    ssh_keys: SSHKeyItems | None = None
    sudo: Int | None = None
    system_user: bool | None = None
    uri: Uri | None = None
    user_id: str | None = None
    user_id_auto: bool | None = None


@document()
class OSGroupItems(Document):
    """The groups of a list."""

    group: tuple[OSGroup, ...] = ()


@document()
class OSUserItems(Document):
    """The users of a list."""

    user: tuple[OSUser, ...] = ()


@document("installProfile")
class InstallProfile(UForgeObject):
    """How the system is set up; disk, memory and swap sizes are in MB."""

    activation_key: str | None = None
    appliance_uri: Uri | None = None
    disk_size: Long | None = None
    firewall_auto: bool | None = None
    firewall_enabled: bool | None = None
    groups: OSGroupItems | None = None
    groups_uri: Uri | None = None
    hw_type: str | None = None
    internet_settings_auto: bool | None = None
    kernel_parameters: str | None = None
    keyboard: Keyboard | None = None
    keyboard_auto: bool | None = None
    memory_size: Long | None = None
    nics_uri: Uri | None = None
    partition_auto: bool | None = None
    partition_table: PartitionTable | None = None
    root_user: OSUser | None = None
    run_sysprep: bool | None = None
    skip_licenses: bool | None = None
    swap_size: Long | None = None
    timezone: str | None = None
    timezone_auto: bool | None = None
    timezone_city: str | None = None
    update_tools: bool | None = None
    uri: Uri | None = None
    users: OSUserItems | None = None
    users_uri: Uri | None = None
    vagrant_user: str | None = None
    welcome_msg: str | None = None
    se_linux_mode: SecurityMode | None = None
