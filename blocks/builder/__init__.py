"""How an image is made: stages over a sandbox, a package pool and checkpoints. Plain Python, no Prefect."""

from blocks.builder.builder import STAGES, Builder, Built, identities
from blocks.builder.job import Job
from blocks.builder.library import Library, Shared
from blocks.builder.order import Order
from blocks.builder.stages.pack import filename, packing
from blocks.builder.stages.resolve import Resolution

__all__ = [
    "STAGES",
    "Builder",
    "Built",
    "Job",
    "Library",
    "Order",
    "Resolution",
    "Shared",
    "filename",
    "identities",
    "packing",
]
