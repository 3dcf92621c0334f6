"""The self-contained HTML page: chapters × targets, and every case with its wire transcript.

The page needs no network and no server, and everything but filter and keys works without scripts.
It is made from result files alone, so it can be made again years later. Whatever a server said is
escaped; and the page's own script is the only one that its Content-Security-Policy lets run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance.report import view
from conformance.run.outcome import Outcome
from conformance.run.results import RunResult


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slug"] = view.slug
    environment.filters["place"] = view.place
    environment.filters["sign"] = view.SIGNS.__getitem__
    return environment


def render(runs: Sequence[RunResult]) -> str:
    """Return the page of these runs, one column a run."""
    environment = _environment()
    script = environment.get_template("page.js").render()
    return environment.get_template("page.html").render(
        runs=runs,
        matrix=view.matrix(runs),
        totals=view.totals(runs),
        chapters=view.chapters(view.rows(runs)),
        outcomes=[outcome for outcome in Outcome if any(run.count(outcome) for run in runs)],
        count={outcome: sum(run.count(outcome) for run in runs) for outcome in Outcome},
        passed=Outcome.PASSED,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def write_report(runs: Sequence[RunResult], path: Path) -> None:
    """Write the page. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(runs), encoding="utf-8", errors="replace")
