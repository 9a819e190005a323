"""A bucket of an S3-compatible server: where it is, and a client set up so that every such server understands it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlsplit

import boto3
from botocore.config import Config

from blocks.errors import InvalidInput, MachineUnfit
from blocks.store.credentials import Credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HINT = "Give s3://bucket/prefix?endpoint=https://host:port, with region= and ca=/path/of/certificates if needed"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*)?")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+/?")
_OPTIONS = frozenset({"endpoint", "region", "ca"})
_VARIABLES = frozenset({"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"})
_CONNECTIONS = 16


@dataclass(frozen=True)
class Bucket:
    """A bucket's address; names in the store get `prefix/` in front, if there is one."""

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    authority: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """From `s3://bucket/prefix?endpoint=…`; raises InvalidInput, which never repeats the whole URL."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise InvalidInput("The store's URL can't be read", _HINT) from None
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        prefix = parts.path.strip("/")
        if "@" in parts.netloc or not _BUCKET.fullmatch(parts.netloc):
            raise InvalidInput("The store's URL names no bucket: 3 to 63 of a-z, 0-9, dots and hyphens", _HINT)
        if parts.fragment or not _PREFIX.fullmatch(prefix):
            raise InvalidInput("The prefix in the store's URL isn't folders of letters, digits and ._-", _HINT)
        if unknown := sorted(options.keys() - _OPTIONS):
            raise InvalidInput(f"The store's URL has options that it can't have: {', '.join(unknown)}", _HINT)
        endpoint = options.get("endpoint")
        if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
            raise InvalidInput("The endpoint in the store's URL is no http:// or https:// address of a server", _HINT)
        return cls(parts.netloc, prefix, endpoint, options.get("region"), options.get("ca"))

    @property
    def where(self) -> str:
        """The bucket for people: no keys, no options."""
        return f"s3://{self.name}/{self.prefix}" + (f" at {self.endpoint}" if self.endpoint else "")

    def client(self, credentials: Credentials | None) -> S3Client:
        """A client, which threads may share. Its own tries are few: the steps have theirs. Raises MachineUnfit.

        Checksums only where they are required: other servers than Amazon's don't take the trailing ones.
        """
        if self.authority is not None and not Path(self.authority).is_file():
            raise MachineUnfit(
                f"The certificates {self.authority} that the URL of the store {self.where} names aren't there",
                "Put the certificates of the server's authority there, or correct ca= in the store's URL",
            )
        session = _session(credentials)
        return session.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region or session.region_name or "us-east-1",
            verify=self.authority,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if self.endpoint or _VARIABLES & os.environ.keys() else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "max_attempts": 3},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=_CONNECTIONS,
            ),
        )

    def full(self, name: str) -> str:
        """The object's key of a name in the store."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def short(self, key: str) -> str:
        """The name in the store of an object's key."""
        return key.removeprefix(f"{self.prefix}/") if self.prefix else key


def _session(credentials: Credentials | None) -> boto3.session.Session:
    if credentials is None:
        return boto3.session.Session()
    token = credentials.session_token
    return boto3.session.Session(
        aws_access_key_id=credentials.access_key.get_secret_value(),
        aws_secret_access_key=credentials.secret_key.get_secret_value(),
        aws_session_token=None if token is None else token.get_secret_value(),
    )
