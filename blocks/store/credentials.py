"""The keys to a store on S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from blocks.errors import InvalidInput


@dataclass(frozen=True)
class Credentials:
    """An access key with its secret, and a session token if they are temporary."""

    access_key: SecretStr
    secret_key: SecretStr
    session_token: SecretStr | None = None

    @classmethod
    def of(cls, access: SecretStr | None, secret: SecretStr | None, token: SecretStr | None = None) -> Self | None:
        """The keys, None if there are none; raises InvalidInput for half a pair."""
        if access is None and secret is None:
            return None
        if access is None or secret is None:
            raise InvalidInput(
                "The store has only one of access key and secret key", "Give both, or neither to use the AWS variables"
            )
        return cls(access, secret, token)
