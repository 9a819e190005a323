"""The grammars: what may reach a command line, a configuration file or a file name, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

_Entry = TypeVar("_Entry")
_MADE = ("/boot/grub/grub.cfg", "/etc/fstab", "/etc/machine-id")
_FLEETING = (
    *("/dev/", "/proc/", "/run/", "/sys/", "/tmp/", "/var/tmp/"),  # noqa: S108 (the image's own)
    *("/var/cache/apt/", "/var/lib/apt/lists/", "/var/log/"),
)
_WHY = "they are made with the image or emptied"


def _matches(pattern: str, limit: int) -> StringConstraints:
    return StringConstraints(pattern=f"^(?:{pattern})$", max_length=limit)


def _path(value: str) -> str:
    if {"", ".", ".."} & set(value.split("/")[1:]):
        raise ValueError("an absolute path without '.', '..', empty parts or a slash at its end is allowed")
    return value


def _lasting(value: str) -> str:
    if value in _MADE or value.startswith(_FLEETING):
        raise ValueError(f"none of {', '.join(_MADE)} and nothing below {', '.join(_FLEETING)} is allowed: {_WHY}")
    return value


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("text without NUL characters is allowed")
    return value


def _distinct(values: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    if len(set(values)) != len(values):
        raise ValueError("each entry is allowed once")
    return values


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def once(*attributes: str) -> AfterValidator:
    """Allows entries of a tuple that differ in the attributes."""

    def check(values: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
        if len({tuple(getattr(value, name) for name in attributes) for value in values}) != len(values):
            raise ValueError(f"each {' and '.join(attributes)} is allowed once")
        return values

    return AfterValidator(check)


ApplianceName = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9 ._+-]*", 100)]
ApplianceVersion = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9._+~-]*", 50)]
Distribution = Annotated[str, _matches(r"[A-Za-z][A-Za-z0-9 ._+-]*", 50)]
PackageName = Annotated[str, _matches(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", 100)]
PackageVersion = Annotated[str, _matches(r"[0-9][A-Za-z0-9.+:~-]*", 100)]
Architecture = Annotated[str, _matches(r"[a-z0-9][a-z0-9-]*", 30)]
Suite = Annotated[str, _matches(r"[a-z][a-z0-9.-]*(?:/[a-z][a-z0-9.-]*)?", 60)]
Component = Annotated[str, _matches(r"[a-z][a-z0-9-]*(?:/[a-z][a-z0-9-]*)?", 60)]
ArchiveLabel = Annotated[str, _matches(r"[A-Za-z0-9.][A-Za-z0-9 ._:+/(),~-]*", 100)]
ArchiveFile = Annotated[
    str, _matches(r"(?:\./)?[A-Za-z0-9][A-Za-z0-9._+~:%-]*(?:/[A-Za-z0-9][A-Za-z0-9._+~:%-]*)*", 400)
]
SourceAddress = Annotated[str, _matches(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~+/-]*)?", 400)]
SHA256 = Annotated[str, _matches(r"[0-9a-f]{64}", 64)]
Number = Annotated[int, Field(ge=1, lt=2**53)]
Size = Annotated[int, Field(ge=0, lt=2**53)]
Mebibytes = Annotated[int, Field(ge=0, le=16 * 1024 * 1024)]

Hostname = Annotated[
    str, _matches(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", 253)
]
TimeZone = Annotated[str, _matches(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", 60)]
Locale = Annotated[str, _matches(r"C\.UTF-8|[a-z]{2,3}_[A-Z]{2}(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?", 40)]
KeyboardLayout = Annotated[str, _matches(r"[a-z]{2,10}(?:,[a-z]{2,10}){0,3}", 43)]
KeyboardModel = Annotated[str, _matches(r"[A-Za-z0-9_-]+", 40)]
KeyboardVariant = Annotated[str, _matches(r"[A-Za-z0-9_,-]*", 100)]
KeyboardOptions = Annotated[str, _matches(r"(?:[A-Za-z0-9_]+:[A-Za-z0-9_]+(?:,[A-Za-z0-9_]+:[A-Za-z0-9_]+)*)?", 200)]
AccountName = Annotated[str, _matches(r"[a-z_][a-z0-9_-]{0,31}", 32)]
UserName = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9._@+-]*", 100)]
PasswordHash = Annotated[str, _matches(r"\$(?:y|gy|7|6|5|2b|2y)\$[./A-Za-z0-9$=,]{10,200}", 256)]
PublicKey = Annotated[
    str,
    _matches(
        r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)"
        r" [A-Za-z0-9+/]+={0,3}(?: [A-Za-z0-9@._+:/ -]*)?",
        2000,
    ),
]
UnitName = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|timer|target|path|mount)", 200)]
KernelArgument = Annotated[str, _matches(r"[A-Za-z0-9_.-]+(?:=[A-Za-z0-9_.,:/=+@%-]*)?", 200)]
ScriptName = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9_-]*", 60)]
FilePath = Annotated[str, _matches(r"/[A-Za-z0-9._+@:/-]+", 400), AfterValidator(_path)]
LastingPath = Annotated[FilePath, AfterValidator(_lasting)]
LoginShell = FilePath
FileMode = Annotated[str, _matches(r"0[0-7]{3}", 4)]
AptSource = Annotated[
    str, _matches(r"deb(?:-src)? (?:\[[A-Za-z0-9=,./ -]+\] )?[A-Za-z0-9+:/._~-]+ [a-z0-9./-]+(?: [a-z0-9/-]+)*", 400)
]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, StringConstraints(max_length=1_000_000), AfterValidator(_text)]
IdempotencyKey = Annotated[str, _matches(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", 200)]

Distinct = Annotated[tuple[_Entry, ...], AfterValidator(_distinct)]
