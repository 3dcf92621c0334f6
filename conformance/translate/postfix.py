"""Placeholder of the postfix translator."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.translate.records import Record
from conformance.translate.verdict import Installation, Outcome, Translation, Verdict


def translate(records: Sequence[Record], installation: Installation) -> Translation:
    """Translate the records."""
    return Translation("postfix", (), tuple(Verdict(record, Outcome.DROPPED) for record in records))
