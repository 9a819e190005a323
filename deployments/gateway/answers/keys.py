"""API keys: pairs of a public key, which a request names, and a secret one, which signs it."""

from __future__ import annotations

from blocks.catalog.keys import ApiKey
from deployments.gateway import wire
from deployments.gateway.answers import uris
from deployments.gateway.answers.sealing import sealed


def pair(key: ApiKey) -> wire.APIKeyPair:
    """A pair of its owner's."""
    return sealed(
        wire.APIKeyPair(
            created=key.created,
            db_id=key.id,
            last_modified=key.changed,
            name=key.name or None,
            description=key.description or None,
            public_key=key.public,
            secret_key=key.secret.get_secret_value(),
            uri=f"{uris.user(key.user)}/apikeys/{key.id}",
        )
    )
