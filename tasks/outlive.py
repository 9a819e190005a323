"""Outlive: a run goes on although nobody reads any more what its process prints; Prefect's API still gets its log."""

from __future__ import annotations

import functools
import logging

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console


def outlive_reader() -> None:
    """Have this process print nothing more once its reader has died; else it would exit at its next line."""
    loggers = (logging.getLogger(name) for name in tuple(logging.root.manager.loggerDict))
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if isinstance(handler, PrefectConsoleHandler):
            silenced = functools.partial(_fall_silent, handler.console)
            setattr(handler.console, "on_broken_pipe", silenced)  # noqa: B010 - the way that rich offers


def _fall_silent(console: Console) -> None:
    console.quiet = True
