"""What apt says of a mirror that gave nothing: whether it is worth another try."""

from __future__ import annotations

import re

from blocks.builder.process import ProgramFailed
from blocks.errors import MirrorRefused, MirrorUnreachable

_PASSING = re.compile(
    r"  (?:5\d\d|408|425|429)  |Could not (?:connect|resolve|wait)|Unable to connect|Temporary failure|[Tt]imed? ?out"
    r"|reset by peer|[Cc]onnection (?:failed|refused|closed)|Error reading|Undetermined Error|Hash Sum mismatch"
    r"|unexpected size|is unreachable|No route to host"
)
_LASTING = re.compile(
    r"  4\d\d  |is not signed|NO_PUBKEY|BADSIG|(?:EXP|REV)KEYSIG|KEYEXPIRED|couldn't be verified|[Cc]ertificate"
    r"|is expired|is not valid yet|does not have (?:a Release file|the component)"
)
_TOLD = ("E:", "W:")


def lasting(error: ProgramFailed) -> bool:
    """Whether the mirror answered, and will answer the same again."""
    told = "\n".join(error.tail)
    return bool(_LASTING.search(told)) and not _PASSING.search(told)


def refusal(error: ProgramFailed, what: str) -> MirrorRefused | MirrorUnreachable:
    """The error for whoever wanted something of a mirror, with apt's own words."""
    told = [row for row in error.tail if row.startswith(_TOLD)] or list(error.tail)
    what = f"{what}: {' '.join(told[:3])}"
    if lasting(error):
        return MirrorRefused(what, "Correct the package source: its address, suite, components, keyring or credentials")
    return MirrorUnreachable(what, "Check the network and the addresses of the package sources, then try again")
