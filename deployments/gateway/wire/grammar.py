"""What the leaves of the documents may hold: numbers of a width, addresses, words of an enumeration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

_RELATIVE = re.compile(r"(?![a-z][a-z0-9+.-]*:)[^\s/](?:\S*[^\s/])?", re.IGNORECASE)


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def takes(self, value: object) -> bool:
        """Whether the value lies within."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class OneOf:
    """A word of an enumeration, exactly as spelt; readers of the published client refuse any other."""

    words: tuple[str, ...]

    def takes(self, value: object) -> bool:
        """Whether the value is one of them."""
        return value in self.words


@dataclass(frozen=True)
class Relative:
    """An address relative to the root of the API: neither scheme nor host, no slash at either end."""

    def takes(self, value: object) -> bool:
        """Whether the value is one."""
        return isinstance(value, str) and _RELATIVE.fullmatch(value) is not None


Grammar = Whole | OneOf | Relative

Int = Annotated[int, Whole(-(2**31), 2**31 - 1)]
Long = Annotated[int, Whole(-(2**63), 2**63 - 1)]
Percent = Annotated[int, Whole(0, 100)]
Uri = Annotated[str, Relative()]


def _one_of(words: str) -> OneOf:
    return OneOf(tuple(words.split()))


FormatName = Annotated[
    str,
    _one_of(
        "aws azure cloudburstvmware cloudstackova cloudstackqcow2 cloudstackvhd cloudsigmaraw cloudwatt docker esx "
        "google hyper-v hyperv2012 ISO PXE kvm k5vmdk lxc openshift openstackqcow2 openstackvdi openstackvhd "
        "openstackvmdk outscale oracleraw ovf ovf09 qcow2 raw susecloud targz vagrant vbox vcenter vcloud vhd "
        "vmware xen xenserver"
    ),
]
TargetType = Annotated[str, _one_of("cloud virtual container physical")]
PlatformType = Annotated[
    str,
    _one_of("aws outscale azure google cloudstack openstack openshift vclouddirector vsphere k5 docker oracle"),
]
CategoryType = Annotated[str, _one_of("PROJECT TEMPLATE IMAGEFORMAT")]
QuotaType = Annotated[str, _one_of("appliance diskusage generation scan")]
Frequency = Annotated[str, _one_of("monthly none")]
Architecture = Annotated[str, _one_of("i386 i586 i686 noarch x86_64")]
Family = Annotated[str, _one_of("linux unix windows")]
DistributionName = Annotated[
    str,
    OneOf(
        (
            "CentOS",
            "Debian",
            "Fedora Core",
            "OpenSUSE",
            "Oracle Linux",
            "RedHat Enterprise Linux",
            "Scientific Linux",
            "SUSE Linux Enterprise Server",
            "Ubuntu",
            "Windows",
        )
    ),
]
Edition = Annotated[str, _one_of("DATACENTER STANDARD ENTERPRISE WEBSERVER UNKNOWN")]
WindowsType = Annotated[str, _one_of("FULL CORE UNKNOWN")]
Keyboard = Annotated[
    str,
    _one_of(
        "ar-azerty ar-azerty-digits ar-digits ar-qwerty ar-qwerty-digits be-latin1 ben ben-probhat bg-bds-utf8 "
        "bg-pho-utf8 br-abnt2 cf croat cz-lat2 cz-us-qwertz de de-latin1 de-latin1-nodeadkeys dev dk dk-latin1 "
        "dvorak es et fi fi-latin1 fr fr-ch fr-ch-latin1 fr-latin1 fr-latin9 fr-pc gr guj gur hu hu101 ie "
        "is-latin1 it it-ibm it2 jp106 ko la-latin1 mk-utf nl no pl2 pt-latin1 ro ro-cedilla ro-std ro-std-cedilla "
        "ru sg sg-latin1 sk-qwerty sloven sr-cy sr-latin1 sv-latin1 tj tml-inscript tml-uni trq ua-utf uk us "
        "us-acentos"
    ),
]
SecurityMode = Annotated[str, _one_of("disabled permissive enforcing")]
DiskName = Annotated[str, _one_of("sda sdb sdc sdd sde sdf")]
PartitionType = Annotated[str, _one_of("LVM MSDOS")]
FileSystem = Annotated[
    str,
    _one_of("btrfs ext2 ext3 ext4 Extended fat16 fat32 jfs linux-swap lvm2 ntfs unformatted xfs reserved"),
]
ActionName = Annotated[
    str,
    _one_of("added cancelled created deleted downloaded failed imported purchased shared success updated uploaded"),
]
