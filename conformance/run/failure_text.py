"""A failed case as a few lines of text: what was demanded, what happened, the wire around it."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.run.outcome import TranscriptLine
from conformance.run.results import Case

_BEFORE = 10
_AFTER = 3


def excerpt(
    transcript: Sequence[TranscriptLine], *, before: int = _BEFORE, after: int = _AFTER
) -> list[TranscriptLine]:
    """Return the lines around the one that the failure is about, or the last ones."""
    bad = next((n for n, line in enumerate(transcript) if line.bad), len(transcript) - 1)
    return list(transcript[max(0, bad - before) : bad + after + 1])


def failure_text(case: Case) -> str:
    """Return the case's reason, requirement, source and excerpt of the transcript."""
    result = case.result
    lines = [
        result.reason,
        f"  {result.position or case.file}",
        f"  {case.title}",
        f"  {case.source}",
    ]
    shown = excerpt(result.transcript)
    if shown:
        width = max(len(line.channel) for line in shown)
        lines.append("")
        lines += [
            f"{'>>' if line.bad else '  '} {line.channel:{width}} {line.arrow} {line.text}"
            for line in shown
        ]
    return "\n".join(lines)
