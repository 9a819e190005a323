"""The image tickets: one row for each request, which its user watches until it is complete, in error or cancelled."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from blocks.catalog import usage
from blocks.catalog.blobs import give_up
from blocks.catalog.clock import Now
from blocks.catalog.database import Database, insert_missing
from blocks.catalog.descriptions import described
from blocks.catalog.events import append
from blocks.catalog.lineage import head
from blocks.catalog.quotas import check_file, check_generation
from blocks.catalog.restoration import adopt, restore
from blocks.catalog.states import SHOWN, TICKET_COLUMNS, UNFINISHED, move, row, tell, ticket
from blocks.catalog.tables import BLOB_REFERENCES, LOCKS, RECORDS, TICKETS
from blocks.catalog.users import require
from blocks.errors import InvalidInput, KeyReused, NotFound, ParentRunning, Refused
from blocks.model import TERMINAL, Evidence, Lock, Policy, Recipe, Record, Ticket, Words, canonical, digest, grammar


class TicketRequest(Words):
    """What is asked for: `parent` is the image to regenerate, `force` cancels it if it is still being made.

    `asked` is the digest by which an idempotency key knows the request again, where the rest may turn out otherwise
    the next time (the newest image, the appliance's own policy); unless given, it is that of all of this.
    """

    user: grammar.UserName
    appliance: int = Field(ge=1)
    parent: int | None = None
    policy: Policy
    rebuild: bool = False
    force: bool = False
    plan: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")
    recipe: Recipe
    asked: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    def parameters(self) -> str:
        """The digest by which a key knows the request again."""
        return self.asked or digest(self.document())


@dataclass(frozen=True)
class Listed:
    """What a list of images shows of a ticket's recipe and record; `sha256` and `size` are those of its file."""

    format: str
    digest: str | None
    sha256: str | None
    size: int | None


class _Key(Words):
    key: grammar.IdempotencyKey


class Tickets:
    """Every generation that was asked for, with its recipe, lock and record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, request: TicketRequest, key: str | None = None) -> Ticket:
        """Make a ticket; the same key with the same request gives the same ticket, however often and concurrently.

        Raises KeyReused for another request, ParentRunning unless forced, NotFound for the parent, UnknownUser,
        QuotaExceeded if the user's successes and those that haven't ended leave no place.
        """
        if key is not None:
            _Key.parse({"key": key}, "idempotency key")
        with self._database.writing() as connection:
            require(connection, request.user)
            number = _insert(connection, request, key)
            if number is None:
                return ticket(connection, _known(connection, request, key))
            _settle_parent(connection, request, number)
            if not request.recipe.simulated:
                check_generation(connection, request.user, number)
            return ticket(connection, number)

    def accept(self, number: int, user: str, appliance: int, image: int | None, token: str) -> Ticket:
        """The ticket, if a run that was handed this may work on it; raises NotFound, Refused with what is wrong."""
        with self._database.reading() as connection:
            found = ticket(connection, number)
            expected = _column(connection, number, "token")
        wrong = [
            name
            for name, given, kept in (
                ("user", user, found.user),
                ("appliance", appliance, found.appliance),
                ("image", image, found.parent),
            )
            if given != kept
        ]
        if not hmac.compare_digest(token.encode(), expected.encode()):
            wrong.append("token")
        if wrong:
            raise InvalidInput(f"Ticket {number} was made for another {', '.join(wrong)}", "Ask without a ticket")
        if found.terminal:
            raise Refused(f"Ticket {number} has ended already: {found.state}", "Ask for a new ticket")
        return found

    def cancel(self, number: int, reason: str) -> bool:
        """Cancel the ticket unless it has ended; True only for the call that did it; raises NotFound."""
        with self._database.writing() as connection:
            row(connection, number)
            return move(connection, number, "cancelled", reason, message=reason)

    def delete(self, number: int, reason: str, *, keep: bool = False) -> bool:
        """Take the image out of sight for good, cancelled before if it is still being made; raises NotFound.

        True only for the call that did it. What the store has of it `remains`; with `keep` it gives up its file only,
        and keeps its record and package files for good. Its row stays, for what was regenerated from it and for what
        counts; its idempotency key is free again.
        """
        kept = {"cleared": Now()} if keep else {}
        with self._database.writing() as connection:
            row(connection, number)
            move(connection, number, "cancelled", reason, message=reason)
            if not tell(connection, number, SHOWN, deleted=Now(), key=None, **kept):
                return False
            if keep:
                file = select(TICKETS.c.file).where(TICKETS.c.id == number).scalar_subquery()
                give_up(connection, number, BLOB_REFERENCES.c.sha256 == file)
            append(connection, number, ticket(connection, number).state, f"deleted: {reason}")
            return True

    def remains(self) -> tuple[tuple[int, int], ...]:
        """The deleted tickets, each with its newest attempt, of which the store may still have something."""
        query = select(TICKETS.c.id, TICKETS.c.attempt).where(~SHOWN, TICKETS.c.cleared.is_(None))
        with self._database.reading() as connection:
            return tuple((row.id, row.attempt) for row in connection.execute(query.order_by(TICKETS.c.id)))

    def cleared(self, number: int) -> None:
        """Note that the store has nothing of a deleted ticket any more."""
        gone = (TICKETS.c.id == number, ~SHOWN, TICKETS.c.cleared.is_(None))
        with self._database.writing() as connection:
            connection.execute(update(TICKETS).where(*gone).values(cleared=Now()))

    def get(self, number: int) -> Ticket:
        """The ticket, also a deleted one; raises NotFound."""
        with self._database.reading() as connection:
            return ticket(connection, number)

    def visible(self, number: int) -> Ticket:
        """The ticket; raises NotFound, also if it was deleted."""
        with self._database.reading() as connection:
            return ticket(connection, number, SHOWN)

    def list(
        self,
        user: str | None = None,
        appliance: int | None = None,
        parent: int | None = None,
        *,
        live: bool = False,
        deleted: bool = False,
    ) -> list[Ticket]:
        """The tickets of this user, appliance and parent, oldest first; the deleted ones only if asked for.

        `live` leaves out those that have ended.
        """
        wanted = {"user": user, "appliance": appliance, "parent": parent}
        conditions = [TICKETS.c[name] == value for name, value in wanted.items() if value is not None]
        some = [*([UNFINISHED] if live else []), *([] if deleted else [SHOWN])]
        with self._database.reading() as connection:
            return _tickets(connection, *conditions, *some)

    def keyed(self, key: str | None) -> int | None:
        """The ticket that the idempotency key gave, None if it gave none yet."""
        with self._database.reading() as connection:
            found = None if key is None else connection.scalar(select(TICKETS.c.id).where(TICKETS.c.key == key))
        return None if found is None else int(found)

    def token(self, number: int) -> str:
        """The secret that its dispatch carries; raises NotFound."""
        with self._database.reading() as connection:
            return _column(connection, number, "token")

    def recipe(self, number: int) -> Recipe:
        """What the ticket generates; raises NotFound."""
        with self._database.reading() as connection:
            return Recipe.parse_json(_column(connection, number, "recipe"), "stored recipe")

    def lock(self, number: int) -> tuple[Lock, Evidence] | None:
        """What the recipe resolved to, None until it has."""
        with self._database.reading() as connection:
            return find_lock(connection, number)

    def record(self, number: int) -> Record | None:
        """The generation's record, None until the ticket is complete."""
        with self._database.reading() as connection:
            document = connection.scalar(select(RECORDS.c.document).where(RECORDS.c.ticket == number))
        return None if document is None else Record.parse_json(document, "stored record")

    def has_file(self, number: int) -> bool:
        """Whether the store has the image's file; an imported record may have come without."""
        with self._database.reading() as connection:
            return connection.scalar(select(TICKETS.c.file).where(TICKETS.c.id == number)) is not None

    def listed(self) -> dict[int, Listed]:
        """What a list shows of every ticket that isn't deleted."""
        columns = (TICKETS.c.format, TICKETS.c.digest, TICKETS.c.file, TICKETS.c.file_size)
        query = select(TICKETS.c.id, *columns).where(SHOWN)
        with self._database.reading() as connection:
            return {
                row.id: Listed(format=row.format, digest=row.digest, sha256=row.file, size=row.file_size)
                for row in connection.execute(query)
            }

    def head(self, number: int, user: str | None = None) -> Ticket:
        """The newest complete image of the image's lineage, which may be itself; raises NotFound if there is none.

        It counts what was made for the image's user, and for the one who asks.
        """
        with self._database.reading() as connection:
            row(connection, number)
            newest = head(connection, number, user)
            if newest is None:
                raise NotFound(f"No image of the lineage of image {number} is complete", "Name the image itself")
            return ticket(connection, newest)

    def set_flow_run(self, number: int, flow_run: str) -> None:
        """Note which flow run will work on the ticket, unless one does already; raises NotFound."""
        free = (TICKETS.c.id == number) & TICKETS.c.flow_run.is_(None)
        with self._database.writing() as connection:
            row(connection, number)
            connection.execute(update(TICKETS).where(free).values(flow_run=flow_run))

    def adopt(self, record: Record, *, has_file: bool) -> Ticket:
        """Make a complete ticket with a new id of a record that was imported; raises UnknownUser, QuotaExceeded.

        User and appliance are those of the envelope. The parent is kept if it is an image of the same appliance.
        """
        with self._database.writing() as connection:
            require(connection, record.user)
            check_file(connection, record.user, record.generation.file if has_file else None)
            number = adopt(connection, record)
            write_record(connection, record.model_copy(update={"ticket": number}), has_file=has_file)
            append(connection, number, "complete", "imported from its record")
            return ticket(connection, number)

    def restore(self, record: Record, *, has_file: bool) -> Ticket:
        """Make the ticket again that a record was written for, with its id, user, appliance and parent.

        No quota is asked, what it made counts. Raises UnknownUser, Contradiction if there is a ticket of that id.
        """
        with self._database.writing() as connection:
            require(connection, record.user)
            restore(connection, record)
            write_record(connection, record, has_file=has_file)
            if usage.counts(record.generation):
                usage.count_generation(connection, record.ticket, record.user, record.generation.created)
            append(connection, record.ticket, "complete", "restored from its record")
            return ticket(connection, record.ticket)

    def forget_keys(self, seconds: float, *, dry: bool = False) -> tuple[int, ...]:
        """Forget the idempotency keys of the tickets that ended longer ago than that; returns those, oldest first.

        With `dry` they are only returned.
        """
        old = (~UNFINISHED, TICKETS.c.finished < Now() - seconds, TICKETS.c.key.is_not(None))
        change = update(TICKETS).where(*old).values(key=None).returning(TICKETS.c.id)
        with self._database.reading() if dry else self._database.writing() as connection:
            return tuple(sorted(connection.scalars(select(TICKETS.c.id).where(*old) if dry else change)))

    def ended(self, within: float) -> tuple[Ticket, ...]:
        """The tickets that ended in the last so many seconds, oldest first."""
        with self._database.reading() as connection:
            return tuple(_tickets(connection, ~UNFINISHED, TICKETS.c.finished >= Now() - within))

    def ended_before(self, seconds: float) -> set[int]:
        """The tickets that ended longer ago than that."""
        query = select(TICKETS.c.id).where(~UNFINISHED, TICKETS.c.finished < Now() - seconds)
        with self._database.reading() as connection:
            return set(connection.scalars(query))


def _tickets(connection: Connection, *conditions: ColumnElement[bool]) -> list[Ticket]:
    query = select(*TICKET_COLUMNS).where(*conditions).order_by(TICKETS.c.id)
    return [Ticket.model_validate(dict(row)) for row in connection.execute(query).mappings()]


def find_lock(connection: Connection, number: int) -> tuple[Lock, Evidence] | None:
    """The ticket's lock with its evidence."""
    found = connection.execute(select(LOCKS.c.lock, LOCKS.c.evidence).where(LOCKS.c.ticket == number)).first()
    if found is None:
        return None
    return Lock.parse_json(found.lock, "stored lock"), Evidence.parse_json(found.evidence, "stored evidence")


def write_record(connection: Connection, record: Record, *, has_file: bool) -> None:
    """Write the record of a ticket that becomes complete in the same transaction."""
    document = canonical(record.document()).decode()
    connection.execute(insert(RECORDS).values(ticket=record.ticket, document=document))
    file = record.generation.file if has_file else None
    told = {"file": file and file.sha256, "file_name": file and file.name, "file_size": file and file.size}
    tell(connection, record.ticket, **told, digest=record.generation.image_digest())


def _insert(connection: Connection, request: TicketRequest, key: str | None) -> int | None:
    values = request.model_dump(include={"user", "appliance", "parent", "policy", "rebuild", "plan"})
    new = insert_missing(connection, TICKETS).values(
        **values,
        state="requested",
        created=Now(),
        changed=Now(),
        key=key,
        parameters=request.parameters(),
        token=secrets.token_urlsafe(),
        **described(request.user, request.appliance, request.recipe),
    )
    added = connection.execute(new.returning(TICKETS.c.id)).first()
    if added is None:
        return None
    append(connection, added.id, "requested", f"requested by {request.user}")
    return int(added.id)


def _known(connection: Connection, request: TicketRequest, key: str | None) -> int:
    found = connection.execute(select(TICKETS.c.id, TICKETS.c.parameters).where(TICKETS.c.key == key)).one()
    if found.parameters != request.parameters():
        raise KeyReused(
            f"The key {key} named another request before (ticket {found.id})", "Use a new key for a new request"
        )
    return int(found.id)


def _settle_parent(connection: Connection, request: TicketRequest, number: int) -> None:
    if request.parent is None:
        return
    parent = _parent(connection, request.parent)
    if parent is None or parent.appliance != request.appliance or parent.deleted is not None:
        raise NotFound(f"Appliance {request.appliance} has no image {request.parent}", "`reforge images` lists them")
    if parent.state in TERMINAL:
        return
    if not request.force:
        raise ParentRunning(
            f"Image {request.parent} is still being made ({parent.state})", "Wait for it, or use force to cancel it"
        )
    reason = f"superseded by ticket {number}, requested by {request.user} with force"
    move(connection, request.parent, "cancelled", reason, message=reason)


def _parent(connection: Connection, number: int) -> Row[Any] | None:
    columns = (TICKETS.c.appliance, TICKETS.c.user, TICKETS.c.state, TICKETS.c.deleted)
    return connection.execute(select(*columns).where(TICKETS.c.id == number).with_for_update()).first()


def _column(connection: Connection, number: int, name: str) -> str:
    row(connection, number)
    return str(connection.scalar(select(TICKETS.c[name]).where(TICKETS.c.id == number)))
