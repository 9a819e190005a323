"""The request: what a flow is asked for, validated whole before anything else happens."""

from __future__ import annotations

from pydantic import Field

from blocks.model import grammar
from blocks.model.policy import Policy
from blocks.model.recipe import Format
from blocks.model.words import Words


class Request(Words):
    """What regenerating and generating have in common; a `ticket` that exists already comes with its `token`."""

    user: grammar.UserName
    appliance: grammar.Number
    force: bool = False
    key: grammar.IdempotencyKey | None = None
    ticket: grammar.Number | None = None
    token: str | None = Field(default=None, max_length=100, repr=False)


class Regeneration(Request):
    """Make `image` again, or with `newest` the newest complete image of its lineage.

    `plan` names the archive's state that the request was made for.
    """

    image: grammar.Number
    policy: Policy | None = None
    rebuild: bool = False
    newest: bool = False
    plan: str | None = Field(default=None, pattern="^[0-9a-f]{16}$")


class FirstGeneration(Request):
    """Make an appliance's image for the first time, in a format, compressed or not."""

    format: Format = "qcow2"
    compress: bool = True
