"""What users had made, one ticket for each."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import ActionName, Long, Uri
from deployments.gateway.wire.objects import UForgeObject, UForgeObjects


@document("statTicket")
class StatTicket(UForgeObject):
    """Something that a user had done, and when."""

    action_id: Long | None = None
    action_name: ActionName | None = None
    currency: str | None = None
    date: datetime | None = None
    description: str | None = None
    disk_size: Long | None = None
    distribution_id: Long | None = None
    distribution_name: str | None = None
    format_id: Long | None = None
    format_name: str | None = None
    from_object_id: Long | None = None
    from_object_name: str | None = None
    from_object_type: str | None = None
    object_id: Long | None = None
    object_name: str | None = None
    object_status: str | None = None
    object_type: str | None = None
    org_id: Long | None = None
    price: float | None = None
    uri: Uri | None = None
    user_id: Long | None = None
    user_login_name: str | None = None


@document()
class StatTicketItems(Document):
    """The statTickets of a list."""

    stat_ticket: tuple[StatTicket, ...] = ()


@document("statTickets")
class StatTickets(UForgeObjects):
    """What users had done."""

    stat_tickets: StatTicketItems = StatTicketItems()
