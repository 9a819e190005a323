"""The appliance: the template a user owns, and the two profiles it is made of.

Names follow UForge's resources `appliance`, `osProfile` and `installProfile`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from blocks.model import grammar
from blocks.model.policy import Policy
from blocks.model.words import Words, unset

_DEBIAN = "Debian"


class Source(Words):
    """An archive of one's own instead of the build host's mirror; `keyring` is an ASCII-armoured public key."""

    address: grammar.SourceAddress
    suite: grammar.Suite
    components: grammar.Distinct[grammar.Component] = ("main",)
    keyring: grammar.Text


class OSProfile(Words):
    """What is installed: distribution, suite, architecture and the packages that were asked for.

    With `sources` all packages come from those, and distribution and suite are any; without, from the build host's
    mirrors of Debian.
    """

    distribution: grammar.Distribution = _DEBIAN
    suite: grammar.Suite
    architecture: Literal["amd64"] = "amd64"
    components: grammar.Distinct[grammar.Component] = ("main",)
    packages: grammar.Distinct[grammar.PackageName] = ()
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _has_an_archive(self) -> Self:
        if self.distribution != _DEBIAN and not self.sources:
            raise ValueError(f"a distribution other than {_DEBIAN} is allowed with sources of its own")
        return self


class User(Words):
    """An account in the image. The password is a crypt(3) hash or absent, never a password."""

    name: grammar.AccountName
    password_hash: grammar.PasswordHash | None = None
    ssh_keys: grammar.Distinct[grammar.PublicKey] = ()
    groups: grammar.Distinct[grammar.AccountName] = ()
    shell: grammar.LoginShell = "/bin/bash"


class Services(Words):
    """systemd units to enable and to disable."""

    enable: grammar.Distinct[grammar.UnitName] = ()
    disable: grammar.Distinct[grammar.UnitName] = ()


class File(Words):
    """A text file to put into the image."""

    path: grammar.LastingPath
    content: grammar.Text
    mode: grammar.FileMode = "0644"
    owner: grammar.AccountName = "root"
    group: grammar.AccountName = "root"


class Script(Words):
    """A program text with its `#!` line, run as root inside the image."""

    name: grammar.ScriptName
    content: grammar.Text = Field(pattern="^#!/")


class Keyboard(Words):
    """The console's keyboard in XKB's words; several layouts are named with commas, and so are their variants."""

    layout: grammar.KeyboardLayout
    variant: grammar.KeyboardVariant = ""
    model: grammar.KeyboardModel = "pc105"
    options: grammar.KeyboardOptions = ""

    @model_validator(mode="after")
    def _one_variant_each(self) -> Self:
        if self.variant.count(",") > self.layout.count(","):
            raise ValueError("at most one variant for each layout is allowed")
        return self


class InstallProfile(Words):
    """How it is installed. Sizes are in MiB, as in UForge. Without `locale` or `keyboard` nothing is set."""

    disk_size: grammar.Mebibytes = 2048
    memory_size: grammar.Mebibytes = 1024
    swap_size: grammar.Mebibytes = 0
    hostname: grammar.Hostname = "localhost"
    timezone: grammar.TimeZone = "Etc/UTC"
    locale: grammar.Locale | None = Field(default=None, exclude_if=unset)
    keyboard: Keyboard | None = Field(default=None, exclude_if=unset)
    network: Literal["dhcp", "none"] = "dhcp"
    users: Annotated[tuple[User, ...], grammar.once("name")] = ()
    kernel_command_line: tuple[grammar.KernelArgument, ...] = ()
    services: Services = Services()
    files: Annotated[tuple[File, ...], grammar.once("path")] = ()
    build_scripts: Annotated[tuple[Script, ...], grammar.once("name")] = ()
    first_boot_scripts: Annotated[tuple[Script, ...], grammar.once("name")] = ()
    apt_sources: grammar.Distinct[grammar.AptSource] = ()


class Appliance(Words):
    """A template; without an OS profile nothing can be generated from it."""

    name: grammar.ApplianceName
    version: grammar.ApplianceVersion = "1.0"
    revision: grammar.Number = 1
    os_profile: OSProfile | None = None
    install_profile: InstallProfile = InstallProfile()
    policy: Policy = "refresh"
