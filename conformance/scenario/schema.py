"""The JSON Schema of scenario files, made from the same tables as the loader.

Editors complete and check scenarios with it. ``python -m conformance.scenario.schema`` prints it;
``scenarios/scenario.schema.json`` is its committed copy. The loader checks more than a schema can
say (what a dialogue may hold, which names exist).
"""

from __future__ import annotations

import json
from typing import Any

from conformance.scenario.dialogue_reader import PROTOCOLS
from conformance.scenario.file_keys import COVERS, HEAD_KEYS, NOTE
from conformance.scenario.shapes import JSON, PLACEHOLDER, TEXT_SCHEMA, record_schema
from conformance.scenario.step_keys import BARE_WORDS, PEER_CHANGES, STEP_KINDS, StepKind

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> JSON:
    """Return the schema of a scenario file (JSON Schema, draft 2020-12)."""
    head = record_schema(HEAD_KEYS)
    return {
        "$schema": SCHEMA_DIALECT,
        "$id": "scenario.schema.json",
        "title": "A mail scenario",
        "description": "docs/scenarios.md describes the format",
        "type": "object",
        "properties": {
            **_with_placeholders(head["properties"]),
            "rows": _rows(),
            "steps": {
                "description": "what happens, and what must come of it",
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/step"},
            },
        },
        "required": [*head["required"], "steps"],
        "additionalProperties": False,
        "$defs": {"step": _with_placeholders(_step())},
    }


def _with_placeholders(part: Any) -> Any:
    """Return a part of the schema with ``{key}`` let in wherever the keys are given ones."""
    if isinstance(part, list):
        return [_with_placeholders(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {key: _with_placeholders(item) for key, item in part.items()}
    if made.get("additionalProperties") is False:
        made["patternProperties"] = {
            **made.get("patternProperties", {}),
            PLACEHOLDER["pattern"]: {},
        }
    return made


def _rows() -> JSON:
    return {
        "description": "each row is a test of its own; its values replace {key} in the file",
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {
                "name": {"description": "unlike that of any other row", **TEXT_SCHEMA},
                "covers": {"description": COVERS.about, **COVERS.shape.schema()},
                "note": {"description": NOTE.about, **NOTE.shape.schema()},
            },
            "required": ["name"],
        },
    }


def _step() -> JSON:
    dialogue = {
        "description": "a dialogue: lines C:, S:, S+, S-, <<<, ---, #",
        "type": "string",
    }
    properties: dict[str, Any] = {kind.key: _kind(kind) for kind in STEP_KINDS.values()}
    properties["peer"] = {
        "description": "new behaviour of peers, from now on",
        **PEER_CHANGES.schema(),
    }
    properties.update(dict.fromkeys(PROTOCOLS, dialogue))
    return {
        "description": "one step: a mapping with one key, or a bare word",
        "anyOf": [
            {"enum": list(BARE_WORDS)},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": properties,
                "patternProperties": {
                    **{f"^{protocol} .+$": dialogue for protocol in PROTOCOLS},
                    r"^\{.+\}": {"description": "a step that a row names"},
                },
                "additionalProperties": False,
            },
        ],
    }


def _kind(kind: StepKind) -> JSON:
    described: JSON = {"description": kind.about}
    if kind.example:
        described["description"] += f"; as {kind.example}"
    return {**kind.shape.schema(), **described}


def text() -> str:
    """Return the schema as the committed file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(text(), end="")
