"""The table of outcomes, for a terminal and as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

import psutil

from tests.faults.cases import Outcome

_HEADS = ("case", "faults", "outcome", "attempts", "seconds", "leaks")


def row(outcome: Outcome) -> tuple[str, ...]:
    """The cells of one outcome."""
    told = "; ".join((outcome.state, *(f"WRONG: {each}" for each in outcome.wrong)))
    left = "; ".join(outcome.leaks) or "none"
    faults = "; ".join(outcome.faults)
    return outcome.name, faults, told, str(outcome.attempts), f"{outcome.seconds:.0f}", left


def markdown(outcomes: Sequence[Outcome], seed: int, kills: int) -> str:
    """The whole table, with what it was made with."""
    bad = sum(not outcome.good for outcome in outcomes)
    memory = psutil.virtual_memory().total / 1e9
    head = (
        f"{len(outcomes)} tickets, {bad} of them not as they must be; random faults: {kills}, seed {seed}; "
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}; "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )
    lines = [_line(_HEADS), _line(["---"] * len(_HEADS)), *(_line(row(outcome)) for outcome in outcomes)]
    return "\n".join([head, "", *lines, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |"
