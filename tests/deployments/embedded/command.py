"""A command that uses the server of the home it is given: runs a flow if told to, and leaves when its input ends."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from deployments.embedded import server


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _run_flow() -> str:
    from prefect import flow, get_run_logger  # noqa: PLC0415 - the point: not before the server is there

    @flow(log_prints=True)
    def hello() -> str:
        get_run_logger().info("a line of the log")
        print("a printed line")  # noqa: T201 - the point: it must not reach standard output
        return os.environ["PREFECT_HOME"]

    return hello()


def main(home: str, *, runs_flow: bool) -> None:
    """Use the server until standard input ends."""
    with server(Path(home), _report) as address:
        early = "prefect" in sys.modules
        result = _run_flow() if runs_flow else None
        sys.stdout.write(json.dumps({"address": address, "early": early, "result": result}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], runs_flow="flow" in sys.argv)
