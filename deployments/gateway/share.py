"""What one process of the gateway is told by the one that starts it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Share(BaseModel):
    """The inherited socket's number, TLS files, whose word on addresses holds, and whether downloads are redirected."""

    model_config = ConfigDict(frozen=True)

    socket: int
    certificate: Path | None
    key: Path | None
    proxy: str | None
    redirects: bool
