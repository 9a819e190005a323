"""What every word has in common: it is frozen, knows its fields, and has one canonical form.

`canonical` is RFC 8785 JSON, so equal values have equal bytes whatever order they were written in;
`digest` is the sha256 of those bytes. `parse` turns a validation failure into one `InvalidInput`
that names each field with what is allowed.
"""

from __future__ import annotations

import hashlib
from typing import Any, Self

import rfc8785
from pydantic import BaseModel, ConfigDict, ValidationError

from blocks.errors import InvalidInput


class Words(BaseModel):
    """A frozen value whose fields are all known and validated."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    def document(self) -> dict[str, Any]:
        """The value as plain JSON data."""
        return self.model_dump(mode="json")

    @classmethod
    def parse(cls, data: object, where: str = "") -> Self:
        """Validate `data`; raises InvalidInput that lists every wrong field and its rule."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InvalidInput(*_explain(error, where or cls.__name__)) from None

    @classmethod
    def parse_json(cls, text: str | bytes, where: str = "") -> Self:
        """Validate a JSON document; raises InvalidInput like `parse`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidInput(*_explain(error, where or cls.__name__)) from None


def unset(value: object) -> bool:
    """Whether a field that came later is left out, so that older documents keep their bytes and their digests."""
    return value is None


def canonical(data: Any) -> bytes:
    """The RFC 8785 bytes of plain JSON data."""
    return rfc8785.dumps(data)


def digest(data: Any) -> str:
    """The sha256 of the canonical JSON of `data`, in hex."""
    return hashlib.sha256(canonical(data)).hexdigest()


def _explain(error: ValidationError, where: str) -> tuple[str, str]:
    rows = [f"{'.'.join(map(str, row['loc'])) or 'document'}: {row['msg']}" for row in error.errors(include_url=False)]
    return f"{where} is not valid: {'; '.join(rows)}", "Correct the named fields and try again"
