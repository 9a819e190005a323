"""Asking and cancelling as a way in does it: the catalog at once, Prefect as far as it is there."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from blocks.errors import KeyReused
from blocks.model.request import FirstGeneration
from blocks.ports import Ports
from tests.flows.conftest import USER, small

pytestmark = [pytest.mark.flow]
_NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture
def asked(ports: Ports) -> FirstGeneration:
    """A first image of an appliance of its own."""
    return FirstGeneration(user=USER, appliance=ports.catalog.appliances.add(USER, small(name=f"asked-{uuid4().hex}")))


@pytest.mark.usefixtures("api")
def test_asking_needs_no_prefect(ports: Ports, asked: FirstGeneration) -> None:
    """The ticket is requested and waits for its run, with the blocks it was first asked with; a key finds it again."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    from flows.start import ask  # noqa: PLC0415 (Prefect is imported after its server is named)

    keyed = asked.model_copy(update={"key": uuid4().hex})
    with temporary_settings({PREFECT_API_URL: _NOWHERE}):
        ticket = ask(ports, keyed, {"catalog": "main", "store": None, "builder": None})
        assert ask(ports, keyed, {"catalog": "other"}) == ticket
        with pytest.raises(KeyReused):
            ask(ports, keyed.model_copy(update={"target": "KVM"}))
    assert (ticket.state, ticket.flow_run) == ("requested", None)
    assert ticket.id in ports.catalog.orders.undispatched(0)
    assert ports.catalog.orders.get(ticket.id).blocks["catalog"] == "main"
    ports.catalog.tickets.cancel(ticket.id, "the test is over")


@pytest.mark.usefixtures("api")
def test_a_cancel_is_told_to_its_run_once(ports: Ports, asked: FirstGeneration) -> None:
    """The catalog decides, and Prefect shows the run as cancelling, with the reason."""
    from prefect import flow  # noqa: PLC0415 (Prefect is imported after its server is named)
    from prefect.client.orchestration import get_client  # noqa: PLC0415
    from prefect.states import Running  # noqa: PLC0415

    from flows.start import ask  # noqa: PLC0415
    from tasks.cancel import cancel  # noqa: PLC0415

    ticket = ask(ports, asked)
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(flow(_nothing), state=Running()).id
        ports.catalog.tickets.set_flow_run(ticket.id, str(run))
        assert cancel(ports, ticket.id, "enough")
        state = client.read_flow_run(run).state
    assert state is not None
    assert (state.is_cancelling(), state.message) == (True, "enough")
    assert ports.catalog.tickets.get(ticket.id).state == "cancelled"
    assert not cancel(ports, ticket.id, "again")


@pytest.mark.usefixtures("api")
def test_a_cancel_needs_no_prefect(ports: Ports, asked: FirstGeneration) -> None:
    """It is cancelled all the same, and nothing is raised."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    from flows.start import ask  # noqa: PLC0415 (Prefect is imported after its server is named)
    from tasks.cancel import cancel, tell  # noqa: PLC0415

    ticket = ask(ports, asked)
    run = str(UUID(int=1))
    ports.catalog.tickets.set_flow_run(ticket.id, run)
    with temporary_settings({PREFECT_API_URL: _NOWHERE}):
        assert cancel(ports, ticket.id, "enough")
        assert not tell(run, "enough")
    assert ports.catalog.tickets.get(ticket.id).state == "cancelled"


def _nothing() -> None:
    """What a run would do."""
