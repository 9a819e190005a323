"""The cipher: keeps secrets that must be read again, such as those of API keys, under a key of this installation."""

from __future__ import annotations

import base64
import functools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from blocks.errors import InvalidInput, MachineUnfit
from blocks.once import made_once
from blocks.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_FILE = "secret.key"
_HINT = "Name 32 random bytes in base64: `openssl rand -base64 32`"


class Cipher:
    """Encrypts with the first of its keys, decrypts with each: so a key is replaced by putting the new one before it.

    The keys are base64 of 32 bytes, separated by commas; without any they are those of `file`. Nothing is read or made
    before something is encrypted or decrypted.
    """

    def __init__(self, keys: SecretStr | None, file: Path | None = None) -> None:
        self._keys = keys
        self._file = file

    @classmethod
    def of(cls, home: Path, settings: Settings) -> Self:
        """The cipher of REFORGE_SECRET_KEY, else of a file below the home that is made when it is missing."""
        return cls(settings.secret_key, home / _FILE)

    def encrypt(self, secret: SecretStr) -> str:
        """The secret as a text that tells nothing; raises InvalidInput for a wrong key, MachineUnfit without any."""
        return self._fernet.encrypt(secret.get_secret_value().encode()).decode("ascii")

    def decrypt(self, text: str) -> SecretStr:
        """The secret again; raises MachineUnfit if another key encrypted it, else likewise."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - heavy and seldom needed

        try:
            return SecretStr(self._fernet.decrypt(text.encode()).decode())
        except InvalidToken:
            raise MachineUnfit(
                "A secret was encrypted with another key than this machine has",
                f"Name that key in REFORGE_SECRET_KEY, or bring back the file {_FILE} in the home folder",
            ) from None

    @functools.cached_property
    def _fernet(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - heavy and seldom needed

        keys = self._keys.get_secret_value() if self._keys else self._kept()
        try:
            return MultiFernet([Fernet(key.strip()) for key in keys.split(",")])
        except ValueError:
            raise InvalidInput("REFORGE_SECRET_KEY or its file is not a key", _HINT) from None

    def _kept(self) -> str:
        """What the file says, which one of several who miss it at the same time makes."""
        if self._file is None:
            raise MachineUnfit("There is no key to encrypt secrets with", f"Set REFORGE_SECRET_KEY. {_HINT}")
        return made_once(self._file, base64.b64encode(secrets.token_bytes(32)).decode() + "\n", mode=0o600)
