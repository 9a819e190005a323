"""Where image files live: blobs by sha256, and beside them the records and the logs of the generations."""

from blocks.store.address import open_store
from blocks.store.credentials import Credentials
from blocks.store.store import Blob, Damaged, Stop, Store, Upload

__all__ = ["Blob", "Credentials", "Damaged", "Stop", "Store", "Upload", "open_store"]
