"""The whole matrix of faults, and a campaign of random ones, on an installation of its own.

make faults ARGUMENTS='--kills 100 --seed 7 --report table.md'
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.faults import table
from tests.faults.campaign import Campaign
from tests.faults.cancels import WAYS, cancelled
from tests.faults.cases import POINTS, TARGETS, Outcome, reference, run
from tests.faults.installation import Installation, installed

_REFERENCES = 2


def main() -> int:
    """Run what the arguments name; 1 if something was not as it must be."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all that was started is ended
    folder = Path(given.folder or f"{tempfile.mkdtemp(prefix='reforge-faults-')}/installation")
    folder.mkdir(mode=0o755, exist_ok=True)
    print(f"Logs are in {folder}", file=sys.stderr)  # noqa: T201
    outcomes = []
    with installed(folder) as site:
        for outcome in _outcomes(site, given):
            print(" | ".join(table.row(outcome)), flush=True)  # noqa: T201
            outcomes.append(outcome)
            if given.report:
                Path(given.report).write_text(table.markdown(outcomes, given.seed, given.kills), "utf-8")
    return int(not all(outcome.good for outcome in outcomes))


def _outcomes(site: Installation, given: argparse.Namespace) -> Iterator[Outcome]:
    known = reference(site)
    yield Outcome("undisturbed", (), "complete", 1, known.seconds)
    for what, stage in itertools.product((*TARGETS, *WAYS), POINTS):
        if any(fnmatch.fnmatchcase(f"{what} at {stage}", pattern) for pattern in given.cases.split(",")):
            yield cancelled(site, known, what, stage) if what in WAYS else run(site, known, (what, stage))
    if given.kills > 0:
        several = [known, *(reference(site, f"small-{place}") for place in range(2, _REFERENCES + 1))]
        yield from Campaign(site, several, given.seed).rounds(given.kills, given.first)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", default="*", help="patterns of the matrix's cases, with commas between: `* at disk`")
    parser.add_argument("--kills", type=int, default=20, help="how many random faults the campaign lasts")
    parser.add_argument("--seed", type=int, default=1, help="what the campaign is drawn from")
    parser.add_argument("--first", type=int, default=1, help="the campaign's round to begin with")
    parser.add_argument("--report", help="a file for the table, as Markdown")
    parser.add_argument("--folder", help="where everything is kept, with its logs; a new one if not named")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
