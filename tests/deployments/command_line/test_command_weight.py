"""What is imported for what: help and questions stay light."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.calling import Call

_PROBE = """
import contextlib, io, json, sys
from deployments.command_line import main
arguments, unwanted = json.loads(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()):
    codes = [main(each) for each in arguments]
print(json.dumps([codes, [name for name in unwanted if name in sys.modules]]))
"""


def _probe(commands: list[list[str]], unwanted: list[str]) -> tuple[list[int], list[str]]:
    argv = [sys.executable, "-c", _PROBE, json.dumps([commands, unwanted])]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    codes, found = json.loads(done.stdout)
    return codes, found


def test_help_imports_nothing_heavy() -> None:
    """Neither Prefect, nor the database, nor anything of the builder."""
    commands = [["--help"], ["regenerate", "--help"], ["user", "--help"], ["user", "add", "--help"], ["--version"]]
    unwanted = ["prefect", "fastapi", "sqlalchemy", "httpx", "blocks.builder", "blocks.catalog", "blocks.ports"]
    assert _probe(commands, unwanted) == ([0] * len(commands), [])


def test_questions_import_neither_prefect_nor_a_web_framework(appliance: int, image: int, newer: int) -> None:
    """Whatever is answered from the catalog and the store alone."""
    named = ["alice", str(appliance), str(image)]
    commands = [
        ["status", *named],
        ["images"],
        ["packages", *named],
        ["plan", *named, "--policy", "exact"],
        ["diff", *named, str(newer)],
        ["verify", *named],
        ["download", *named, "--output", "folder"],
        ["appliance", "list"],
        ["appliance", "export", str(appliance)],
        ["user", "list"],
        ["record", "export", *named, "--output", "server.json"],
        ["cancel", *named],
    ]
    codes, found = _probe(commands, ["prefect", "fastapi", "starlette"])
    assert (codes, found) == ([0] * (len(commands) - 1) + [1], [])


def test_a_denial_comes_before_prefect(appliance: int, image: int) -> None:
    """Who may not is told so at once."""
    codes, found = _probe([["regenerate", "nobody", str(appliance), str(image)]], ["prefect", "fastapi"])
    assert (codes, found) == ([3], [])


def test_the_installed_program_explains_itself(program: Call) -> None:
    """Every command is listed with what it does."""
    answer = program("--help")
    assert answer.code == 0
    for command in ("demo", "plan", "generate", "regenerate", "status", "cancel", "images", "packages", "download"):
        assert command in answer.out
    for command in ("diff", "verify", "record", "appliance", "user"):
        assert command in answer.out
