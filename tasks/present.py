"""What a run shows on its page in Prefect: progress, package differences, and a summary with the link to the image."""

from __future__ import annotations

from prefect import runtime
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, create_table_artifact

from blocks.model import Plan
from blocks.model.summary import Summary
from tasks.attempt import Attempt


def progress(attempt: Attempt, percent: int, stage: str) -> None:
    """The progress bar of the run."""
    if _shown():
        create_progress_artifact(float(percent), f"progress-{attempt.name}", f"Ticket {attempt.ticket}: {stage}")


def differences(attempt: Attempt, plan: Plan) -> None:
    """The package differences against the parent, as a table."""
    rows = [
        *({"package": row.name, "change": "added", "from": "", "to": row.version} for row in plan.packages.added),
        *({"package": row.name, "change": "removed", "from": row.version, "to": ""} for row in plan.packages.removed),
        *(_moved("upgraded", row.name, row.before, row.after) for row in plan.packages.upgraded),
        *(_moved("downgraded", row.name, row.before, row.after) for row in plan.packages.downgraded),
    ]
    if _shown():
        told = f"Verdict: {plan.verdict}. {'; '.join(plan.reasons)}"
        create_table_artifact(rows or [{"package": "", "change": "none"}], f"packages-{attempt.name}", told)


def summary(attempt: Attempt, done: Summary) -> None:
    """What came of it, in words."""
    if not _shown():
        return
    file = done.file
    stages = "\n".join(f"| {row.name} | {row.seconds:.1f} | {'yes' if row.reused else 'no'} |" for row in done.stages)
    image = f"[{file.name}]({file.uri}), {file.size} bytes, sha256 `{file.sha256}`" if file else "none"
    text = (
        f"# Ticket {done.ticket}: {done.verdict}\n\n{done.reason}\n\n**Image:** {image}\n\n"
        f"| stage | seconds | reused |\n|---|---|---|\n{stages}\n"
    )
    create_markdown_artifact(text, f"summary-{attempt.name}", f"Ticket {done.ticket}")


def _moved(change: str, name: str, before: str, after: str) -> dict[str, str]:
    return {"package": name, "change": change, "from": before, "to": after}


def _shown() -> bool:
    return runtime.flow_run.get_id() is not None
