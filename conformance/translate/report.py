"""The report of a translation: record by record, what became of it, and the sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.translate.verdict import Outcome, Translation

__all__ = ["report"]


def report(translation: Translation) -> Iterator[str]:
    """Yield the report's lines; a record's line number is that of the table."""
    width = max((len(str(each.record.line)) for each in translation.verdicts), default=1)
    for verdict in translation.verdicts:
        head = f"{verdict.record.line:>{width}}  {verdict.outcome.value}: {verdict.record}"
        yield head
        if verdict.reason:
            yield f"{'':{width}}      {verdict.reason}"
    counts = Counter(each.outcome for each in translation.verdicts)
    sums = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
    yield f"{len(translation.verdicts)} records for {translation.server}: {sums}"
