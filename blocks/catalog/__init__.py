"""What is known: users, appliances, tickets with their attempts and records, blobs and stage outputs.

The catalog owns the truth: whatever several processes decide at once, a compare-and-set here decides it.
"""

from blocks.catalog.appliances import StoredAppliance
from blocks.catalog.catalog import Catalog
from blocks.catalog.checkpoints import SharedCheckpoint
from blocks.catalog.intents import Intent
from blocks.catalog.leases import LEASE_SECONDS, Lease
from blocks.catalog.orders import Order
from blocks.catalog.organizations import DEFAULT, Organization
from blocks.catalog.outputs import StageOutput
from blocks.catalog.tickets import Listed, TicketRequest
from blocks.catalog.users import Account
from blocks.model.role import ENTITLEMENTS, Entitlement

__all__ = [
    "DEFAULT",
    "ENTITLEMENTS",
    "LEASE_SECONDS",
    "Account",
    "Catalog",
    "Entitlement",
    "Intent",
    "Lease",
    "Listed",
    "Order",
    "Organization",
    "SharedCheckpoint",
    "StageOutput",
    "StoredAppliance",
    "TicketRequest",
]
