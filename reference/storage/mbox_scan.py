"""Where the records of a .mbox file are: one pass over its octets, without I/O of its own.

Records of ours are skipped over by the length in their From-line; a record whose length does not
fit (another program has edited the file) or that has none ends before the next From-line after an
empty line. At the end of the file a record of ours that is not complete was torn by a crash.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reference.storage.mbox_format import SEPARATOR, FromLine, parse_from_line


@dataclass(frozen=True, slots=True)
class Record:
    """A record: where its From-line and its message begin, and the message's length."""

    offset: int
    start: int
    length: int
    line: FromLine


def scan(octets: bytes | mmap.mmap) -> Iterator[Record]:
    """Yield the records in the order of the file; a torn one at the end is left out.

    What stands between the records' ends (:func:`span_end`) is no record.
    """
    size = len(octets)
    offset = 0 if octets[:5] == b"From " else _next(octets, 0)
    while offset < size:
        record = _record(octets, offset, size)
        if record is None:
            return
        yield record
        end = span_end(record)
        offset = end if octets[end : end + 5] == b"From " else _next(octets, max(0, end - 2))


def span_end(record: Record) -> int:
    """Return where a record ends with the empty line after its message."""
    return record.start + record.length + 1


def torn_at(octets: bytes | mmap.mmap, records: Sequence[Record]) -> int:
    """Return where a torn record begins after the ``records``, or the size when none does."""
    begin = min(len(octets), span_end(records[-1])) if records else 0
    rest = bytes(octets[begin : begin + 5])
    return begin if rest == b"From "[: len(rest)] else len(octets)


def _next(octets: bytes | mmap.mmap, position: int) -> int:
    found = octets.find(SEPARATOR, position)
    return len(octets) if found < 0 else found + 2


def _record(octets: bytes | mmap.mmap, offset: int, size: int) -> Record | None:
    line_end = octets.find(b"\n", offset)
    if line_end < 0:
        return None
    line = parse_from_line(bytes(octets[offset:line_end]))
    if line is None:
        return None
    start = line_end + 1
    if line.length:
        end = start + line.length
        after = bytes(octets[end : end + 6])
        if after and b"\nFrom ".startswith(after):
            return Record(offset, start, line.length, line)
    found = octets.find(SEPARATOR, line_end)
    if found >= 0:
        return Record(offset, start, found + 1 - start, line)
    if line.length is not None and (line.length == 0 or start + line.length + 1 > size):
        return None
    # The last message of another program, or one that such a program has made longer.
    end = size - 1 if size - start >= 2 and octets[size - 2 : size] == b"\n\n" else size
    return Record(offset, start, end - start, line)
