"""The keys of a scenario file besides ``given``, ``rows`` and ``steps``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from conformance.scenario.capabilities import CAPABILITIES
from conformance.scenario.complaints import Complaints, suggest
from conformance.scenario.given_keys import GIVEN
from conformance.scenario.model import Level
from conformance.scenario.nodes import Fields, Items, Node, Text
from conformance.scenario.shapes import LINE, TEXT, Choice, Key, ListOf, Several

LEVEL = Choice("a level", tuple(level.value for level in Level), fallback=Level.BEYOND.value)
_IDS = ListOf(LINE, "ids")

COVERS = Key("covers", _IDS, "catalogue ids of the statements that the scenario would show broken")
NOTE = Key("note", TEXT, "what the document leaves open and how it is read here")
HEAD_KEYS: tuple[Key[Any], ...] = (
    Key("title", LINE, "the requirement, as a sentence", required=True),
    Key("source", LINE, "document > chapter > section", required=True),
    COVERS,
    Key("level", LEVEL, "must (default), text (checked with --strict only) or beyond"),
    Key("requires", Several(LINE), "capabilities beyond those that given and steps imply"),
    NOTE,
    Key("given", GIVEN, "the world before the first step"),
)
#: All keys of a file in the documented order; rows and steps have readers of their own.
FILE_KEYS = (*(key.name for key in HEAD_KEYS), "rows", "steps")


@dataclass(frozen=True)
class FileHead:
    """What a file says once for all its rows."""

    source: str
    covers: tuple[str, ...]
    level: Level
    requires: tuple[str, ...]
    note: str


def check_keys(root: Fields, complaints: Complaints) -> None:
    """Complain about keys that a file cannot have, and about those that it must have."""
    for key, _ in root.pairs:
        if key.value == "id":
            complaints.add(key, "a scenario's id is its path; leave out “id”")
        elif key.value not in FILE_KEYS:
            hint = suggest(key.value, FILE_KEYS, otherwise=f"; known: {', '.join(FILE_KEYS)}")
            complaints.add(key, f"unknown key “{key.value}”{hint}")
    for name, about in (
        *((key.name, key.about) for key in HEAD_KEYS if key.required),
        ("steps", "what happens, and what must come of it"),
    ):
        if root.get(name) is None:
            complaints.add(root, f"the key “{name}” is missing: {about}")


def read_head(root: Fields, known_ids: Collection[str], complaints: Complaints) -> FileHead:
    """Return what the file says once; rows' own covers and notes come later."""
    values: dict[str, Any] = {}
    for key in HEAD_KEYS:
        node = root.get(key.name)
        if node is not None and key.name != "given":
            values[key.name] = key.shape.read(node, complaints)
    covers_node, requires_node = root.get("covers"), root.get("requires")
    if covers_node is not None:
        check_ids(covers_node, known_ids, complaints)
    if requires_node is not None:
        _check_capabilities(requires_node, complaints)
    level = Level(values.get("level", Level.MUST.value))
    return FileHead(
        source=values.get("source", ""),
        covers=values.get("covers", ()),
        level=level,
        requires=values.get("requires", ()),
        note=values.get("note", "").strip(),
    )


def check_ids(node: Node, known: Collection[str], complaints: Complaints) -> None:
    """Complain about catalogue ids that do not exist or stand twice in one list."""
    if not isinstance(node, Items):
        return
    seen: set[str] = set()
    for item in node.items:
        if not isinstance(item, Text):
            continue
        if known and item.value not in known:
            hint = suggest(item.value, known, otherwise="; “mailproof coverage” lists the ids")
            complaints.add(item, f"the catalogue has no “{item.value}”{hint}")
        if item.value in seen:
            complaints.add(item, f"“{item.value}” stands in this list twice")
        seen.add(item.value)


def _check_capabilities(node: Node, complaints: Complaints) -> None:
    for item in node.items if isinstance(node, Items) else (node,):
        if (
            isinstance(item, Text)
            and item.value not in CAPABILITIES
            and not item.value.startswith("x-")
        ):
            hint = suggest(item.value, CAPABILITIES, otherwise="; see docs/scenarios.md")
            complaints.add(
                item,
                f"unknown capability “{item.value}”{hint} (names of your own begin with x-)",
            )
