"""The servers that a table can be translated for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from conformance.translate import exim, postfix
from conformance.translate.records import Record
from conformance.translate.verdict import Installation, Translation

__all__ = ["SERVERS", "translate"]

#: Name → its translator.
SERVERS: Mapping[str, Callable[[Sequence[Record], Installation], Translation]] = {
    "postfix": postfix.translate,
    "exim": exim.translate,
}


def translate(
    records: Sequence[Record], *, to: str, installation: Installation | None = None
) -> Translation:
    """Translate the records for a server of ``SERVERS``. Raises KeyError for another one."""
    return SERVERS[to](records, installation or Installation())
