"""A lost catalog made anew from the store alone: every image with its record, its lineage and its number.

Restored are the tickets of the records that can be read, with the files that verify, what they reference, the outputs
of their stages, their users (inactive, for nobody knows what they may do) and their appliances (as the newest recipe
says). A record whose file is missing or damaged comes back without it, as an imported one: it can be regenerated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from blocks.catalog import Catalog
from blocks.deed import Done
from blocks.errors import CorruptFile, NotFound, Refused
from blocks.model import Appliance, ImageFile, Record, StageResult
from blocks.portable import needed
from blocks.ports import Ports
from blocks.store import Damaged


def rebuild(ports: Ports, report: Callable[[str], None], *, dry: bool = False) -> tuple[Done, ...]:
    """Fill the empty catalog from the store; tells what came back and what did not, and why. Reads every image file.

    With `dry` nothing is written. Raises Refused unless the catalog is empty, which is then left as it is.
    """
    _require_empty(ports.catalog)
    work = _Rebuilding(ports, report, dry)
    for record in ports.store.records():
        work.take(record)
    work.finish()
    return tuple(each.model_copy(update={"done": not dry}) for each in work.done)


@dataclass
class _Template:
    """What is known of an appliance: its first image's user, and the newest image with its recipe."""

    user: str
    image: int
    appliance: Appliance


@dataclass
class _Rebuilding:
    """The state of one rebuild: what was met so far."""

    ports: Ports
    report: Callable[[str], None]
    dry: bool
    done: list[Done] = field(default_factory=list)
    _sizes: dict[str, int] = field(default_factory=dict)
    _files: dict[str, str] = field(default_factory=dict)
    _users: set[str] = field(default_factory=set)
    _templates: dict[int, _Template] = field(default_factory=dict)
    _outputs: dict[str, tuple[StageResult, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.report("Listing what the store has …")
        self._sizes = {blob.sha256: blob.size for blob in self.ports.store.blobs()}

    def take(self, record: Record) -> None:
        """Restore one ticket, and its user before it."""
        self.report(f"Image {record.ticket} of {record.user}: reading its file …")
        file = record.generation.file
        damage = "it names none" if file is None else self._damage(file)
        if record.user not in self._users:
            self._users.add(record.user)
            self._tell(f"user {record.user}, inactive", f"image {record.ticket} is the user's")
            if not self.dry:
                self.ports.catalog.users.restore(record.user)
        if not self.dry:
            self.ports.catalog.tickets.restore(record, has_file=not damage)
            self.ports.catalog.blobs.take(record.ticket, self._present(record, with_file=not damage))
        self._note(record)
        self._told(record, damage)

    def finish(self) -> None:
        """Restore what the tickets lead to, and tell what stays lost."""
        self._restore_appliances()
        damaged = list(self.ports.store.damaged())
        if not self.dry:
            for result, ticket in self._outputs.values():
                known = (result.digest, result.name, result.sha256, result.size, result.seconds)
                self.ports.catalog.outputs.record(*known, ticket)
            self.ports.catalog.leap(self._greatest(damaged))
        for each in damaged:
            self._tell(f"left out: the record {each.where}", each.reason)

    def _greatest(self, damaged: Iterable[Damaged]) -> int:
        """The greatest number of a ticket of which anything is left."""
        written = (int(each.where.split("/")[1]) for each in damaged)
        return max((*written, *(ticket for ticket, _ in self.ports.store.logs())), default=0)

    def _damage(self, file: ImageFile) -> str:
        """What is wrong with the file, empty if nothing is; each file is read once."""
        if file.sha256 not in self._files:
            try:
                self.ports.store.verify(file.sha256, file.size, lambda: None)
                self._files[file.sha256] = ""
            except (CorruptFile, NotFound) as error:
                self._files[file.sha256] = error.what
        return self._files[file.sha256]

    def _present(self, record: Record, *, with_file: bool) -> dict[str, int]:
        file = record.generation.file
        wanted = [*needed(record), *([file.sha256] if file and with_file else [])]
        return {sha256: self._sizes[sha256] for sha256 in wanted if sha256 in self._sizes}

    def _note(self, record: Record) -> None:
        """Remember what the record says of its appliance and of the stages, whose true times the builders have."""
        recipe = record.generation.recipe
        appliance = Appliance(
            name=recipe.name,
            version=recipe.version,
            revision=recipe.revision,
            os_profile=recipe.os_profile,
            install_profile=recipe.install_profile,
        )
        known = self._templates.get(record.appliance)
        owner = known.user if known else record.user
        self._templates[record.appliance] = _Template(owner, record.ticket, appliance)
        for stage in record.generation.stages:
            first = self._outputs.get(stage.digest)
            if first is None or (first[0].reused and not stage.reused and first[0].sha256 == stage.sha256):
                self._outputs[stage.digest] = (stage, record.ticket)

    def _told(self, record: Record, damage: str) -> None:
        what = f"image {record.ticket} of {record.user}, appliance {record.appliance}"
        wanted = list(needed(record))
        gone = [sha256 for sha256 in wanted if sha256 not in self._sizes]
        packages = f"; {len(gone)} of its {len(wanted)} package files aren't in the store" if gone else ""
        if record.generation.recipe.simulated:
            self._tell(f"{what}, simulated", "its record is whole")
        elif damage:
            self._tell(f"{what}, without its file", f"the record is whole, but {damage}{packages}")
        else:
            self._tell(what, f"its record and its file are whole{packages}")

    def _restore_appliances(self) -> None:
        """Restore each; of two that shared a name (the older one was deleted) the one of the newest image."""
        taken: dict[tuple[str, str, str], int] = {}
        newest_first = sorted(self._templates.items(), key=lambda item: item[1].image, reverse=True)
        for number, template in newest_first:
            name = (template.user, template.appliance.name, template.appliance.version)
            what = f"appliance {number} ({' '.join(name[1:])}) of {template.user}"
            if name in taken:
                self._tell(f"left out: {what}", f"appliance {taken[name]} has its name and version, and a newer image")
                continue
            taken[name] = number
            self._tell(what, f"image {template.image} is its newest one")
            if not self.dry:
                self.ports.catalog.appliances.restore(number, template.user, template.appliance)

    def _tell(self, what: str, why: str) -> None:
        self.done.append(Done(what=what, why=why))


def _require_empty(catalog: Catalog) -> None:
    found = {
        "tickets": len(catalog.tickets.list(deleted=True)),
        "appliances": len(catalog.appliances.list()),
        "users": len(catalog.users.list()),
    }
    if any(found.values()):
        told = ", ".join(f"{count} {name}" for name, count in found.items() if count)
        raise Refused(
            f"The catalog isn't empty, so it can't be rebuilt: it has {told}. Nothing was changed",
            "Name an empty database in REFORGE_CATALOG_URL, or move the lost catalog's file away, and try again",
        )
