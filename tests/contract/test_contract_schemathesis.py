"""Whatever is sent to any operation of the OpenAPI document, the answer is one that the document tells of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
import schemathesis
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from pydantic import SecretStr
from schemathesis import Case
from schemathesis.checks import CHECKS, CheckFunction
from schemathesis.specs.openapi.schemas import OpenApiSchema

from blocks.ports import Ports
from blocks.settings import Settings
from deployments.gateway.application import application
from deployments.gateway.operations import OPERATIONS
from tests.deployments.gateway.conftest import APPLIANCE, BYTES, PASSWORD, record

# Schemathesis's own strategies; what they make is the same at every run nevertheless.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module:Warning")
_USER = "alice"
_CHECKS = [
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
]


@dataclass
class World:
    """A catalog and a store in which there is always something to find."""

    ports: Ports
    appliance: int = 0
    image: int = 0
    key: int = 0

    def restock(self) -> dict[str, object]:
        """What the parameters of paths may name; what earlier calls have deleted is there anew."""
        catalog = self.ports.catalog
        if self.appliance not in {each.id for each in catalog.appliances.list(_USER)}:
            self.appliance = catalog.appliances.add(_USER, APPLIANCE)
        if self.image not in {row.ticket.id for row in catalog.images.list(_USER, self.appliance).rows}:
            self.image = catalog.tickets.adopt(record(self.appliance), has_file=True).id
        self.key = next((each.id for each in catalog.keys.list(_USER)), 0) or catalog.keys.create(_USER).id
        numbers = {"aid": self.appliance, "itid": self.image, "akid": self.key, "ipid": self.appliance}
        return {**numbers, "osid": self.appliance, "tfid": 1, "tpid": 1, "oid": "1", "uid": _USER}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all operations."""
    home = tmp_path_factory.mktemp("home")
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    options = Settings(home=home, catalog_url=None, store_url=None)
    with pytest.MonkeyPatch.context() as patch, Ports.open(options, prepare=True) as ports:
        patch.setattr("blocks.catalog.users._HASHER", quick)
        ports.catalog.users.add(_USER, (), SecretStr(PASSWORD), roles=["platform_administrator"])
        ports.store.put(BYTES)
        yield World(ports)


@pytest.fixture(scope="module")
def described(world: World) -> OpenApiSchema:
    """The real application with its own document."""
    return schemathesis.openapi.from_asgi("/api/openapi.json", application(world.ports))


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_answer_is_documented(name: str, described: OpenApiSchema, world: World) -> None:
    """No 5xx, and no status, type, header or document that isn't told of: of made-up things and of those there are."""
    operation = described.find_operation_by_id(name)
    never = {"not_a_server_error"} if OPERATIONS[name].status == 501 else set()
    checks = cast("list[CheckFunction]", CHECKS.get_by_names([check for check in _CHECKS if check not in never]))

    @settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: Case[Any]) -> None:
        _call(case, checks)
        known = world.restock()
        case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
        _call(case, checks)

    ask()


def _call(case: Case[Any], checks: list[CheckFunction]) -> None:
    case.call_and_validate(checks=checks, auth=(_USER, PASSWORD))
