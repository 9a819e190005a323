"""What the documents are built on: ids and dates, uploads, lists, lists of addresses, and the status of a job."""

from __future__ import annotations

from datetime import datetime

from deployments.gateway.wire.elements import Document, document
from deployments.gateway.wire.grammar import Long, Percent, Uri


@document()
class UriList(Document):
    """Addresses of objects."""

    uri: tuple[Uri, ...] = ()


@document(abstract=True)
class UForgeObject(Document):
    """What has an id and dates; `digest` is what its ETag says."""

    created: datetime | None = None
    db_id: Long | None = None
    digest: str | None = None
    last_modified: datetime | None = None


@document("status")
class OpStatus(UForgeObject):
    """How far a job is; it has ended once `complete`, `error` or `cancelled` is true."""

    bytes_loaded: Long | None = None
    bytes_total: Long | None = None
    cancelled: bool | None = None
    complete: bool | None = None
    detailed_error: bool | None = None
    detailed_error_msg: str | None = None
    error: bool | None = None
    error_message: str | None = None
    eta: datetime | None = None
    message: str | None = None
    parent_uri: Uri | None = None
    percentage: Percent | None = None
    published: bool | None = None
    total_time: datetime | None = None
    uri: Uri | None = None


@document(abstract=True)
class UForgeUploadObject(UForgeObject):
    """What has a file: its sums, its size in bytes and the status of how it came about."""

    md5sum: str | None = None
    mime_type: str | None = None
    sha256sum: str | None = None
    size: Long | None = None
    status: OpStatus | None = None
    uploaded: bool | None = None
    uploaded_time: datetime | None = None


@document(abstract=True)
class UForgeObjects(Document):
    """A list; `total` counts the matches before paging."""

    total: Long | None = None


@document()
class StatusItems(Document):
    """The statuses of a list."""

    status: tuple[OpStatus, ...] = ()


@document("statuses")
class OpStatuses(UForgeObjects):
    """Statuses of jobs."""

    statuses: StatusItems = StatusItems()


@document("logo")
class Logo(UForgeUploadObject):
    """A picture."""

    description: str | None = None
    name: str | None = None
    parent_uri: Uri | None = None
    title: str | None = None
    uri: Uri | None = None
