"""Fixtures inside texts: ``<<certificates/NAME>>`` stands for what the file holds.

As a whole value (a setting) it becomes the file's text; inside a longer text (a CLI command) it
becomes a quoted string of the documents' format, on the same line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from conformance.scenario.complaints import Complaints, suggest
from conformance.scenario.nodes import Fields, Items, Node, Text
from conformance.targets.dictionary import dump

_MENTION = re.compile(r"<<(certificates/[^<>\s]*)>>")


class Embedding:
    """Puts files into nodes."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """``texts`` maps ``certificates/NAME`` to what the file holds."""
        self._texts = texts

    def fill(self, node: Node, complaints: Complaints) -> Node:
        """Return the node with every mention replaced; complain about files that are none."""
        if isinstance(node, Items):
            return replace(node, items=tuple(self.fill(item, complaints) for item in node.items))
        if isinstance(node, Fields):
            pairs = tuple((key, self.fill(value, complaints)) for key, value in node.pairs)
            return replace(node, pairs=pairs)
        if "<<certificates/" not in node.value:
            return node
        whole = _MENTION.fullmatch(node.value.strip())
        if whole is not None:
            return replace(node, value=self._text(whole[1], node, complaints))
        value = _MENTION.sub(lambda found: dump(self._text(found[1], node, complaints)), node.value)
        return replace(node, value=value)

    def _text(self, name: str, node: Text, complaints: Complaints) -> str:
        text = self._texts.get(name)
        if text is None:
            hint = suggest(name, sorted(self._texts))
            complaints.add(node, f"there is no “{name}” in fixtures/{hint}")
        return text or ""
