"""Rows: one file, many tests."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass

from conformance.scenario.complaints import Complaints, Place, suggest
from conformance.scenario.file_keys import COVERS, check_ids
from conformance.scenario.nodes import Document, Fields, Items, Node, kind_of
from conformance.scenario.shapes import LINE, TEXT

#: Keys of a row that are not values.
ROW_KEYS = ("covers", "note")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_ -]*")


@dataclass(frozen=True)
class Row:
    """One row: its name, its values as nodes, and what it adds to the file's head."""

    name: str
    values: Mapping[str, Node]
    covers: tuple[str, ...]
    note: str
    place: Place
    text: str
    """The file's source with this row alone."""


def read_rows(
    node: Node, document: Document, known_ids: Collection[str], complaints: Complaints
) -> list[Row]:
    """Return the rows of a file; complain about those that are none."""
    if not isinstance(node, Items) or not node.items:
        complaints.add(
            node, "rows are a list of mappings; write - {name: first, key: value} for each"
        )
        return []
    rows: list[Row] = []
    texts = _texts(node, document)
    for item, text in zip(node.items, texts, strict=True):
        if isinstance(item, Fields):
            rows.append(_row(item, text, known_ids, complaints))
        else:
            complaints.add(item, f"a row is a mapping, not {kind_of(item)}; write - name: …")
    _check_names(rows, complaints)
    return rows


def _row(item: Fields, text: str, known_ids: Collection[str], complaints: Complaints) -> Row:
    name_node, covers, note = item.get("name"), item.get("covers"), item.get("note")
    name = ""
    if name_node is None:
        complaints.add(item, "a row needs a “name”, unlike that of any other row")
    else:
        name = LINE.read(name_node, complaints).strip()
        if not name or not set("[]").isdisjoint(name) or not name.isprintable():
            complaints.add(name_node, "a row's name is a short text without square brackets")
    for key, _ in item.pairs:
        if not _KEY.fullmatch(key.value):
            complaints.add(
                key, f"“{key.value}” cannot be a row's key; write letters, digits, - and _"
            )
    if covers is not None:
        check_ids(covers, known_ids, complaints)
    return Row(
        name=name,
        values={key.value: value for key, value in item.pairs if key.value not in ROW_KEYS},
        covers=COVERS.shape.read(covers, complaints) if covers is not None else (),
        note=TEXT.read(note, complaints).strip() if note is not None else "",
        place=Place(item.line, item.column),
        text=text,
    )


def _check_names(rows: list[Row], complaints: Complaints) -> None:
    first: dict[str, int] = {}
    for row in rows:
        if row.name and row.name in first:
            complaints.add(
                row.place,
                f"two rows are called “{row.name}” (the other in line {first[row.name]})",
            )
        first.setdefault(row.name, row.place.line)


def check_values(rows: list[Row], used: Set[str], complaints: Complaints) -> None:
    """Complain about values that a row lacks, and about those that nothing uses.

    ``used`` holds the keys whose ``{key}`` stood in the title, given or steps of some row.
    """
    keys = {key: row for row in reversed(rows) for key in row.values}
    for row in rows:
        for key in keys:
            if key not in row.values:
                hint = suggest(key, [name for name in row.values if name not in used])
                complaints.add(
                    row.place,
                    f"the row “{row.name}” has no “{key}”, which other rows have{hint}; "
                    f'for an empty text write {key}: ""',
                )
    for key, row in keys.items():
        if key not in used and key != "name":
            complaints.add(
                row.place,
                f"nothing uses the rows' “{key}”; write {{{key}}} in title, given or steps, "
                "or leave it out",
            )


def _texts(node: Items, document: Document) -> list[str]:
    """Return, for each row, the source without the other rows' lines.

    Rows that share lines with others (a list in one line) stay as they are.
    """
    starts = [item.line for item in node.items]
    if len(set(starts)) < len(starts):
        return [document.source] * len(starts)
    end = _end_line(document, starts[-1])
    spans = list(zip(starts, [*starts[1:], end], strict=True))
    head, tail = document.lines[: starts[0] - 1], document.lines[end - 1 :]
    return [
        "\n".join((*head, *document.lines[start - 1 : stop - 1], *tail)) for start, stop in spans
    ]


def _end_line(document: Document, after: int) -> int:
    """Return the line of the next key of the file after a line, or one past the last line."""
    later = [
        key.line
        for key, _ in (document.root.pairs if isinstance(document.root, Fields) else ())
        if key.line > after
    ]
    return min(later, default=len(document.lines) + 1)
