"""What each grammar takes and what it refuses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from blocks.model import grammar

HASH = "$y$j9T$abcdefgh$0123456789012345678901234567890123456789012"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"

TAKEN = {
    "ApplianceName": ["Debian server", "a", "x_1.2+b-c"],
    "ApplianceVersion": ["1.0", "2026~rc1"],
    "Distribution": ["Debian", "Ubuntu", "Linux Mint", "House-1.0"],
    "PackageName": ["bash", "libstdc++6", "g++", "0ad"],
    "PackageVersion": ["1", "1:2.3-4+deb12u1~bpo1"],
    "Architecture": ["amd64", "all"],
    "Suite": ["bookworm", "bookworm-security", "bookworm/updates"],
    "Component": ["main", "non-free-firmware", "updates/main"],
    "ArchiveLabel": ["Debian", "Debian Backports", ". bookworm", "LP-PPA-x/y (nightly)"],
    "ArchiveFile": ["pool/main/b/bash/bash_5.2-1_amd64.deb", "./bash.deb", "a%3a1.deb"],
    "SourceAddress": ["http://deb.example.org/debian", "https://[a]".replace("[a]", "a:8080/x/")],
    "SHA256": ["0123456789abcdef" * 4],
    "Hostname": ["localhost", "a.b-c.d1"],
    "TimeZone": ["UTC", "Etc/GMT+5", "America/Argentina/Ushuaia"],
    "Locale": ["C.UTF-8", "de_DE.UTF-8", "en_US.ISO-8859-15", "sr_RS@latin", "ca_ES.UTF-8@valencia", "hne_IN"],
    "KeyboardLayout": ["us", "latam", "us,ru"],
    "KeyboardModel": ["pc105", "macbook79", "hp500fa"],
    "KeyboardVariant": ["", "nodeadkeys", "dvorak-intl", ",phonetic"],
    "KeyboardOptions": ["", "grp:alt_shift_toggle", "lv3:ralt_switch,ctrl:nocaps"],
    "AccountName": ["ada", "_apt", "www-data"],
    "UserName": ["ada", "ada@example.org"],
    "PasswordHash": [HASH],
    "PublicKey": [KEY, f"{KEY} ada@example"],
    "UnitName": ["ssh.service", "getty@tty1.service"],
    "KernelArgument": ["quiet", "console=ttyS0,115200", "-x"],
    "ScriptName": ["10-setup"],
    "FilePath": ["/etc/motd", "/a/.b/c..d"],
    "LastingPath": ["/etc/motd", "/var/lib/x", "/etc/fstab.d", "/developer/x"],
    "FileMode": ["0644", "0755"],
    "AptSource": ["deb http://deb.example.org/debian bookworm main", "deb [arch=amd64] http://x y main contrib"],
    "IdempotencyKey": ["nightly:2026-01-02"],
}
REFUSED = {
    "ApplianceName": ["", " a", "a/b", "x" * 101, "ü"],
    "ApplianceVersion": ["", "-1", "1 0"],
    "Distribution": ["", "1x", "../x", "a/b", "a\nb", "$x"],
    "PackageName": ["a", "Bash", "-x", "bash-", "a b", "a;b", "a=1"],
    "PackageVersion": ["", "a", "1 2", "1;2"],
    "Architecture": ["", "-a", "AMD64"],
    "Suite": ["", "../x", "a/../b", "a/b/c", "Bookworm"],
    "Component": ["", "../x", "main contrib"],
    "ArchiveLabel": ["", "-a", "$x", "a\nb"],
    "ArchiveFile": ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.b", "a b"],
    "SourceAddress": ["", "ftp://x", "http://", "http://user:secret@x", "http://x y", "file:///x"],
    "SHA256": ["", "0" * 63, "0" * 65, "A" * 64],
    "Hostname": ["", "-a", "a-", "A", "a..b", "a" * 64, "a_b"],
    "TimeZone": ["", "../x", "/etc", "-x", "a/b/c/d", "a b"],
    "Locale": ["", "POSIX", "de", "de_DE.UTF-8 UTF-8", "de_DE.UTF-8\n", "../x", "de_DE;x", "$LANG"],
    "KeyboardLayout": ["", "US", "us,", "us;x", "us ru", "../us", "a,b,c,d,e"],
    "KeyboardModel": ["", "pc 105", 'pc"105', "$x"],
    "KeyboardVariant": ["a b", "a;b", "$x", "a\nb", 'a"b'],
    "KeyboardOptions": ["grp", "grp:", "a:b;c", "a:b,", "$x:y", "a:b\nc"],
    "AccountName": ["", "Ada", "1a", "a" * 33, "a:b", "ada$"],
    "UserName": ["", "@a", "a b", "a/b"],
    "PasswordHash": ["", "secret", "$1$abc$" + "x" * 30, HASH + ":x", "!", "*"],
    "PublicKey": ["", "ssh-dss AAAA", "ssh-ed25519", f"{KEY} 'x'", f'command="x" {KEY}'],
    "UnitName": ["", "ssh", "-a.service", "a/b.service", "a b.service"],
    "KernelArgument": ["", "a b", 'a="b"', "a=$x", "a;b"],
    "ScriptName": ["", "-a", "a.b", "a/b"],
    "FilePath": ["", "/", "a", "/a/", "/a//b", "/..", "/a/../b", "/.", "/a/./b", "/a b"],
    "LastingPath": ["", "/a/", "/proc/sys/kernel/x", "/dev/x", "/run/x", "/var/log/x", "/etc/fstab"],
    "FileMode": ["", "644", "4755", "0888", "0o644"],
    "AptSource": ["", "http://x y main", "deb x", "deb x y;z"],
    "IdempotencyKey": ["", " a", "a b", "x" * 201],
}


def adapter(name: str) -> TypeAdapter[Any]:
    """What validates a grammar."""
    return TypeAdapter(getattr(grammar, name))


def rows(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Each grammar with each of its values."""
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), rows(TAKEN))
def test_taken(name: str, value: str) -> None:
    """A value that people use is taken as it is."""
    assert adapter(name).validate_python(value) == value


@pytest.mark.parametrize(("name", "value"), rows(REFUSED))
def test_refused(name: str, value: str) -> None:
    """A value that could mean something else to a shell, a path or a configuration file is refused."""
    with pytest.raises(ValidationError):
        adapter(name).validate_python(value)


@pytest.mark.parametrize(("name", "value"), rows(TAKEN))
@pytest.mark.parametrize("tail", ["\n", "\0", "\nx", "\r"])
def test_control_characters_are_refused(name: str, value: str, tail: str) -> None:
    """No grammar takes a line's end or a NUL, not even as the last character."""
    with pytest.raises(ValidationError):
        adapter(name).validate_python(value + tail)


@pytest.mark.parametrize("name", sorted(TAKEN))
@given(text=st.text(max_size=12))
def test_whatever_is_taken_is_harmless(name: str, text: str) -> None:
    """Whatever text a grammar takes is plain ASCII without control characters, quotes or what a shell expands."""
    try:
        taken = adapter(name).validate_python(text)
    except ValidationError:
        return
    assert taken == text
    assert taken.isascii()
    assert not re.search(r"[\x00-\x1f\x7f\"'`\\;&|<>()*?!#]", taken)


def test_text() -> None:
    """Free text takes any character but NUL, up to a million."""
    assert adapter("Text").validate_python("ü\n\t'$x") == "ü\n\t'$x"
    for wrong in ("a\0b", "x" * 1_000_001, "\ud800"):
        with pytest.raises(ValidationError):
            adapter("Text").validate_python(wrong)


@pytest.mark.parametrize(
    ("name", "smallest", "largest"),
    [("Number", 1, 2**53 - 1), ("Size", 0, 2**53 - 1), ("Mebibytes", 0, 16 * 1024 * 1024)],
)
def test_limits_of_numbers(name: str, smallest: int, largest: int) -> None:
    """Numbers end where canonical JSON can't tell neighbours apart, or earlier."""
    for right in (smallest, largest):
        assert adapter(name).validate_python(right) == right
    for wrong in (smallest - 1, largest + 1):
        with pytest.raises(ValidationError):
            adapter(name).validate_python(wrong)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone follows
    st.integers(-14 * 60, 14 * 60),
)
def test_moment_is_kept_in_utc(time: datetime, minutes: int) -> None:
    """A moment with any offset is the same moment in UTC, so equal moments are written alike."""
    given_moment = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    moment = adapter("Moment").validate_python(given_moment)
    assert moment == given_moment
    assert moment.tzinfo is UTC


def test_moment_without_offset() -> None:
    """A time without an offset is no moment."""
    with pytest.raises(ValidationError):
        adapter("Moment").validate_python("2026-01-02T03:04:05")


def test_distinct() -> None:
    """A list of distinct entries takes none twice, and keeps their order."""
    distinct = TypeAdapter(grammar.Distinct[str])
    assert distinct.validate_python(["b", "a"]) == ("b", "a")
    with pytest.raises(ValidationError, match="each entry is allowed once"):
        distinct.validate_python(["a", "a"])
