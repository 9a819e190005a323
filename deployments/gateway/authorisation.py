"""Authorisation: what the caller may do under the path's user; asked with each request, of the catalog as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from blocks.catalog import Account
from blocks.errors import InactiveUser, MissingEntitlement, NotFound, UnknownUser
from blocks.model.role import Entitlement
from blocks.ports import Ports
from deployments.gateway.authentication import is_name
from deployments.gateway.house import House


@dataclass(frozen=True)
class Visit:
    """A request that may be answered: as `account`, the path's user if the path has one."""

    request: Request
    house: House
    account: Account

    @property
    def ports(self) -> Ports:
        """Catalog, store and builder."""
        return self.house.ports

    @property
    def uid(self) -> str:
        """The user's name."""
        return self.account.name


def house(request: Request) -> House:
    """What the application was opened with."""
    found = request.app.state.house
    assert isinstance(found, House)  # noqa: S101 - set by application()
    return found


async def visitor(request: Request) -> Visit:
    """Whoever has credentials. Raises as Authentication does."""
    found = house(request)
    return Visit(request, found, await found.authentication.caller(request))


async def user(request: Request, uid: str) -> Visit:
    """Who is the path's user, or may act for it; raises NotFound for a user that doesn't exist for the caller."""
    found = await visitor(request)
    if uid == found.uid:
        return found
    return Visit(request, found.house, await to_thread.run_sync(_supervised, found, uid))


def entitled(entitlement: Entitlement) -> Callable[[Request, str], Awaitable[Visit]]:
    """Likewise, if the path's user has the entitlement; raises InactiveUser, MissingEntitlement."""

    async def check(request: Request, uid: str) -> Visit:
        found = await user(request, uid)
        require(found.account, entitlement)
        return found

    return check


def require(account: Account, entitlement: Entitlement) -> None:
    """Raise InactiveUser or MissingEntitlement unless the user may do this."""
    if not account.active:
        raise InactiveUser(f"The user {account.name} is not active", "An operator can let it in")
    if entitlement not in account.entitlements:
        raise MissingEntitlement(f"The user {account.name} lacks the entitlement {entitlement}", "Ask an operator")


def _supervised(caller: Visit, uid: str) -> Account:
    try:
        if is_name(uid):
            return caller.ports.catalog.users.supervise(caller.uid, uid)
    except UnknownUser:
        pass
    raise NotFound(f"There is no user {uid}", "Correct the name")


Visitor = Annotated[Visit, Depends(visitor)]
"""Anybody with credentials, where the path has no user."""
User = Annotated[Visit, Depends(user)]
"""The path's user, whatever it is entitled to."""
Owner = Annotated[Visit, Depends(entitled("appliance_create"))]
"""The path's user with `appliance_create`."""
Generator = Annotated[Visit, Depends(entitled("image_generate"))]
"""The path's user with `image_generate`."""
Publisher = Annotated[Visit, Depends(entitled("image_publish"))]
"""The path's user with `image_publish`."""
KeyHolder = Annotated[Visit, Depends(entitled("api_key_access"))]
"""The path's user with `api_key_access`."""
