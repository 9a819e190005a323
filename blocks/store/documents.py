"""Records and logs: small documents over four operations that each kind of store brings along."""

from __future__ import annotations

import gzip
import io
import secrets
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from blocks.errors import CorruptFile, InvalidInput, NotFound
from blocks.model import Record, canonical
from blocks.store import names
from blocks.store.store import Damaged


class Documents(ABC):
    """The record and log methods of a store; names are relative and use slashes."""

    @abstractmethod
    def _write(self, name: str, data: bytes) -> None:
        """Store a document, whole or not at all, in place of an earlier one."""

    @abstractmethod
    def _read(self, name: str) -> bytes:
        """A document's bytes; raises NotFound."""

    @abstractmethod
    def _children(self, name: str) -> list[str]:
        """The last parts of the names directly below, none if there is no such name."""

    @abstractmethod
    def _delete(self, name: str) -> None:
        """Remove a document; one that isn't there is no error."""

    @abstractmethod
    def _uri(self, name: str) -> str:
        """Where a document is or would be."""

    def put_record(self, record: Record) -> None:
        """See Store."""
        self._write(names.record(record.ticket, record.attempt), canonical(record.document()))

    def records(self) -> Iterator[Record]:
        """See Store."""
        for ticket in self._tickets():
            record, _ = self._best(ticket)
            if record is not None:
                yield record

    def damaged(self) -> Iterator[Damaged]:
        """See Store."""
        for ticket in self._tickets():
            for attempt in self._attempts(ticket):
                found = self._try_record(ticket, attempt)
                if isinstance(found, Damaged):
                    yield found

    def record(self, ticket: int) -> Record:
        """See Store."""
        record, damaged = self._best(ticket)
        if record is not None:
            return record
        if damaged is not None:
            raise CorruptFile(
                f"The record {damaged.where} is damaged: {damaged.reason}",
                "Import the record from a copy, if there is one",
            )
        raise NotFound(f"The store has no record of ticket {ticket}", "Only complete tickets have one")

    def remove_record(self, ticket: int, attempt: int) -> None:
        """See Store."""
        self._delete(names.record(ticket, attempt))

    def put_log(self, ticket: int, attempt: int, stage: str, lines: Iterable[str]) -> None:
        """See Store."""
        name = names.log(ticket, attempt, stage)
        buffer = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=6) as file:
            for line in lines:
                file.write(line.removesuffix("\n").encode(errors="backslashreplace") + b"\n")
        self._write(name, buffer.getvalue())

    def log(self, ticket: int, attempt: int, stage: str) -> str:
        """See Store."""
        name = names.log(ticket, attempt, stage)
        data = self._read(name)
        try:
            return gzip.decompress(data or b"empty").decode()
        except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise CorruptFile(f"The log {name} is damaged: {error}", "It can't be mended: remove it") from error

    def log_uri(self, ticket: int, attempt: int, stage: str) -> str:
        """See Store."""
        return self._uri(names.log(ticket, attempt, stage))

    def check(self) -> None:
        """See Store."""
        folder, token = "checks/store", secrets.token_hex(8)
        self._write(f"{folder}/{token}", b"a check of the store")
        try:
            if self._read(f"{folder}/{token}") != b"a check of the store" or token not in self._children(folder):
                raise CorruptFile(
                    f"The store doesn't give back what was written to {self._uri(f'{folder}/{token}')}",
                    "See that its server lists and reads what was written just before",
                )
        finally:
            self._delete(f"{folder}/{token}")

    def logs(self) -> Iterator[tuple[int, int]]:
        """See Store."""
        for ticket in filter(names.is_number, self._children("logs")):
            for attempt in filter(names.is_number, self._children(f"logs/{ticket}")):
                yield int(ticket), int(attempt)

    def remove_logs(self, ticket: int, attempt: int) -> None:
        """See Store."""
        folder = names.logs(ticket, attempt)
        for name in self._children(folder):
            self._delete(f"{folder}/{name}")

    def _tickets(self) -> list[int]:
        return sorted(int(name) for name in self._children("records") if names.is_number(name))

    def _attempts(self, ticket: int) -> list[int]:
        children = self._children(f"records/{names.number(ticket, 'ticket')}")
        stems = (name.removesuffix(".json") for name in children if name.endswith(".json"))
        return sorted((int(stem) for stem in stems if names.is_number(stem)), reverse=True)

    def _best(self, ticket: int) -> tuple[Record | None, Damaged | None]:
        damaged = None
        for attempt in self._attempts(ticket):
            found = self._try_record(ticket, attempt)
            if isinstance(found, Record):
                return found, damaged
            damaged = damaged or found
        return None, damaged

    def _try_record(self, ticket: int, attempt: int) -> Record | Damaged | None:
        name = names.record(ticket, attempt)
        try:
            record = Record.parse_json(self._read(name), name)
        except NotFound:  # removed meanwhile
            return None
        except InvalidInput as error:
            return Damaged(name, error.what)
        if (record.ticket, record.attempt) != (ticket, attempt):
            return Damaged(name, f"it is the record of ticket {record.ticket}, attempt {record.attempt}")
        return record
