"""The shared words: frozen, validated values with canonical JSON and digests. Imports no other block."""

from blocks.model.appliance import (
    Appliance,
    File,
    InstallProfile,
    Keyboard,
    OSProfile,
    Script,
    Services,
    Source,
    User,
)
from blocks.model.lock import ArchiveState, Evidence, Lock, Origin, Package
from blocks.model.plan import PackageChange, PackageChanges, Plan, PlannedStage, Verdict
from blocks.model.policy import Policy
from blocks.model.recipe import Recipe, StageName
from blocks.model.record import Generation, ImageFile, Record, StageResult
from blocks.model.search import Search
from blocks.model.target import Format
from blocks.model.ticket import TERMINAL, Event, Receipt, State, Ticket
from blocks.model.words import Words, canonical, digest

__all__ = [
    "TERMINAL",
    "Appliance",
    "ArchiveState",
    "Event",
    "Evidence",
    "File",
    "Format",
    "Generation",
    "ImageFile",
    "InstallProfile",
    "Keyboard",
    "Lock",
    "OSProfile",
    "Origin",
    "Package",
    "PackageChange",
    "PackageChanges",
    "Plan",
    "PlannedStage",
    "Policy",
    "Receipt",
    "Recipe",
    "Record",
    "Script",
    "Search",
    "Services",
    "Source",
    "StageName",
    "StageResult",
    "State",
    "Ticket",
    "User",
    "Verdict",
    "Words",
    "canonical",
    "digest",
]
