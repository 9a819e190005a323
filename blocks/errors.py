"""Everything that can go wrong, in one tree.

ReforgeError                 carries what went wrong and what to do next
├── Refused                  the request itself can't be taken            (exit code 2)
│   ├── InvalidInput         a value outside its grammar
│   │   └── Malformed        a document that can't be read
│   ├── KeyReused            an idempotency key that named another request
│   ├── ParentRunning        the image to regenerate is still being made
│   ├── Occupied             another run works on the ticket, or will
│   └── PlanMoved            the archive is no longer in the state the plan was made for
├── Denied                   who asks may not do this                     (exit code 3)
│   ├── UnknownUser
│   ├── InactiveUser
│   ├── MissingEntitlement
│   ├── ForeignAppliance
│   ├── QuotaExceeded
│   └── TooManyFailures      too many logins failed; carries the seconds to wait
├── NotFound                 what was named isn't there                   (exit code 4)
├── NotFinished              what was waited for goes on                  (exit code 1)
├── Stopped                  cancelled, superseded or out of its lease    (exit code 5)
│   └── Superseded           the ticket goes on in another attempt
├── BuildFailed              the image can't be made from this input      (exit code 1)
│   ├── NoOSProfile
│   ├── UnsupportedSuite
│   ├── PackagesMissing      packages that no archive has
│   ├── PackagesGone         `exact`: package files that nobody keeps any more
│   ├── CorruptFile          a file whose bytes are not what was promised
│   ├── DiskTooSmall
│   ├── Unreproducible       a digest's bytes differ from those first recorded
│   └── StageFailed          a tool ended with an error; carries the end of its log
├── MachineUnfit             this machine can't do it                     (exit code 1)
│   ├── NoSandbox            no user namespaces
│   ├── NoSpace              not enough free disk space; worth another try
│   └── NoProgram            a program isn't installed
├── Unavailable              a server can't be reached; worth another try (exit code 1)
│   ├── MirrorUnreachable
│   ├── CatalogUnavailable
│   ├── StoreUnavailable
│   └── PrefectUnavailable
├── MirrorRefused            the mirror answers, and its archive can't be used (exit code 1)
├── StoreRefused             the store answers, and refuses for good      (exit code 1)
└── Contradiction            stored state that can't be: an invariant was broken (exit code 1)
"""

from __future__ import annotations

from typing import ClassVar


class ReforgeError(Exception):
    """What went wrong and where (`what`), and what to do next (`hint`)."""

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}. {self.hint}" if self.hint else self.what

    def __reduce__(self) -> tuple[type[ReforgeError], tuple[object, ...]]:
        return type(self), (self.what, self.hint)


class Refused(ReforgeError):
    """The request itself can't be taken."""

    exit_code = 2


class InvalidInput(Refused):
    """A value lies outside its grammar."""


class Malformed(InvalidInput):
    """A document can't be read: not well-formed, too large, too deep, or a value outside its type."""


class KeyReused(Refused):
    """An idempotency key named another request before."""


class ParentRunning(Refused):
    """The image that shall be regenerated is still being made."""


class Occupied(Refused):
    """Another run works on the ticket, or will."""


class PlanMoved(Refused):
    """The archive is no longer in the state that the plan was made for."""


class Denied(ReforgeError):
    """Who asks may not do this."""

    exit_code = 3


class UnknownUser(Denied):
    """No user has that name."""


class InactiveUser(Denied):
    """The user exists and is not active."""


class MissingEntitlement(Denied):
    """The user lacks the entitlement that the operation needs."""


class ForeignAppliance(Denied):
    """The appliance belongs to somebody else."""


class QuotaExceeded(Denied):
    """The user has had made, or keeps, as much as its quota allows."""


class TooManyFailures(Denied):
    """Too many logins failed for this name or from this address; it may be tried again in `seconds`."""

    def __init__(self, what: str, hint: str = "", seconds: float = 0.0) -> None:
        super().__init__(what, hint)
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[TooManyFailures], tuple[object, ...]]:
        return type(self), (self.what, self.hint, self.seconds)


class NotFound(ReforgeError):
    """What was named isn't there."""

    exit_code = 4


class NotFinished(ReforgeError):
    """What was waited for has not come to its end in the given time."""


class Stopped(ReforgeError):
    """The work was told to stop: cancelled, superseded, or its lease is lost."""

    exit_code = 5


class Superseded(Stopped):
    """The ticket goes on in another attempt: whoever works on this one speaks for its run no more."""


class BuildFailed(ReforgeError):
    """The image can't be made from this input."""


class NoOSProfile(BuildFailed):
    """The appliance has no OS profile, so nothing can be generated from it."""


class UnsupportedSuite(BuildFailed):
    """The OS profile names a suite that the builder doesn't know."""


class PackagesMissing(BuildFailed):
    """The archive has no such packages, or they can't be installed together."""


class PackagesGone(BuildFailed):
    """Package files of a lock that neither pool, store nor archive has any more."""


class CorruptFile(BuildFailed):
    """A file's bytes are not what its size and sha256 promise."""


class DiskTooSmall(BuildFailed):
    """The content doesn't fit on the disk that the install profile asks for."""


class Unreproducible(BuildFailed):
    """The same digest gave other bytes than those first recorded."""


class StageFailed(BuildFailed):
    """A stage's tool ended with an error; the end of its log is part of the message."""


class MachineUnfit(ReforgeError):
    """This machine can't do it."""


class NoSandbox(MachineUnfit):
    """This machine gives no namespaces to build in."""


class NoSpace(MachineUnfit):
    """There is not enough free disk space for the build; others may free some."""

    transient = True


class NoProgram(MachineUnfit):
    """A program that must be installed isn't."""


class Unavailable(ReforgeError):
    """A server can't be reached at the moment."""

    transient = True


class MirrorUnreachable(Unavailable):
    """The package mirror doesn't answer."""


class CatalogUnavailable(Unavailable):
    """The catalog's database doesn't answer."""


class StoreUnavailable(Unavailable):
    """The store doesn't answer."""


class MirrorRefused(ReforgeError):
    """The package mirror answers, and its archive can't be used: no such suite, no right, a wrong signature."""


class StoreRefused(ReforgeError):
    """The store answers and refuses: wrong keys, no such bucket, no right; another try is pointless."""


class PrefectUnavailable(Unavailable):
    """The Prefect API doesn't answer, or its server can't be started."""


class Contradiction(ReforgeError):
    """Stored state that can't be: an invariant was broken."""
