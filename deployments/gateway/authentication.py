r"""Authentication: who asks, by name and password or by a signature; and for whom, if it supervises.

A user `SUPERVISOR\TARGET` is let in by the supervisor's password, and acts as the target.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import partial

from anyio import CapacityLimiter, to_thread
from pydantic import SecretStr, TypeAdapter, ValidationError
from starlette.requests import Request

from blocks.catalog import Account
from blocks.errors import InactiveUser, MissingEntitlement, UnknownUser
from blocks.model import grammar
from blocks.ports import Ports
from deployments.gateway.passwords import Known
from deployments.gateway.refusals import Unauthenticated
from deployments.gateway.signature import Signed, signed

_HASHES_AT_ONCE = 2
_NAME: TypeAdapter[str] = TypeAdapter(grammar.UserName)
_WRONG = "Name and password don't let anybody in"
_UNSIGNED = "The signature is not one of this API key over this request"


@dataclass(frozen=True)
class Credentials:
    """A login with its password, and whom it acts for, if not for itself."""

    login: str
    target: str | None
    password: SecretStr = field(repr=False)


class Authentication:
    """Knows who asks. One for each process, for it remembers for a while whose password was right."""

    def __init__(self, ports: Ports) -> None:
        self._catalog = ports.catalog
        self._known = Known()
        self._limiter = CapacityLimiter(_HASHES_AT_ONCE)

    async def caller(self, request: Request) -> Account:
        """The account that the request acts as; raises Unauthenticated, TooManyFailures, InactiveUser, Denied."""
        if (by_key := signed(request.scope)) is not None:
            return await to_thread.run_sync(self._signer, by_key)
        given = credentials(request.headers.get("authorization"))
        if (known := await to_thread.run_sync(self._remembered, given)) is not None:
            return known
        peer = request.client.host if request.client else ""
        await to_thread.run_sync(partial(self._verify, given, peer), limiter=self._limiter)
        return await to_thread.run_sync(lambda: self._acting(given, self._active(given.login)))

    def _remembered(self, given: Credentials) -> Account | None:
        """Who it acts as, if the password was right a while ago."""
        found = self._catalog.users.login(given.login)
        if found is None or not self._known.holds(given.login, given.password, found[1]):
            return None
        return self._acting(given, _checked(found[0]))

    def _verify(self, given: Credentials, peer: str) -> None:
        self._catalog.logins.check(given.login, peer)
        found = self._catalog.users.login(given.login)
        if not self._catalog.users.verify(given.login, given.password) or found is None:
            self._catalog.logins.failed(given.login, peer)
            raise Unauthenticated(_WRONG, "Correct them")
        self._catalog.logins.succeeded(given.login, peer)
        self._known.add(given.login, given.password, found[1])

    def _acting(self, given: Credentials, account: Account) -> Account:
        if given.target in (None, given.login):
            return account
        return _checked(self._catalog.users.supervise(given.login, given.target or ""))

    def _signer(self, by_key: Signed) -> Account:
        key = self._catalog.keys.find(by_key.key) if by_key.key.isascii() and by_key.key.isprintable() else None
        if not by_key.by(key.secret if key else SecretStr("")) or key is None:
            raise Unauthenticated(_UNSIGNED, "Sign the URL as it is sent, with the key's secret")
        account = self._active(key.user)
        if "api_key_access" not in account.entitlements:
            raise MissingEntitlement(f"The user {account.name} lacks the entitlement api_key_access")
        return account

    def _active(self, name: str) -> Account:
        try:
            return _checked(self._catalog.users.get(name))
        except UnknownUser:  # removed just now
            raise Unauthenticated(_WRONG) from None


def credentials(header: str | None) -> Credentials:
    """What the header Authorization says; raises Unauthenticated for none, or for any that can't be right."""
    scheme, _, encoded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated("This needs a name with a password, or an API key with a signature")
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # no ASCII, no Base64, or no UTF-8 in it
        raise Unauthenticated("The header Authorization can't be read", "Send Base64 of name:password") from None
    login, backslash, target = name.partition("\\")
    wanted = (login, target) if backslash else (login,)
    if not colon or not all(is_name(each) for each in wanted):
        raise Unauthenticated(_WRONG, "Correct them")
    return Credentials(login, target if backslash else None, SecretStr(password))


def is_name(text: str) -> bool:
    """Whether a user may be named so."""
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def _checked(account: Account) -> Account:
    if not account.active:
        raise InactiveUser(f"The user {account.name} is not active", "An operator can let it in")
    return account
