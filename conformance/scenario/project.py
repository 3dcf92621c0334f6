"""Projection: a scenario's texts rewritten for a network plan.

A plan that moves addresses (*loopback*) has to move them wherever a scenario speaks of them: in
lists, tables, zones, dialogues and expectations. Ids, titles, sources, notes and positions stay as
the author wrote them, so that reports speak of the documents' addresses.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from conformance.scenario.model import Position, Scenario, Step

T = TypeVar("T")


def project(scenario: Scenario, text: Callable[[str], str]) -> Scenario:
    """Return the scenario with ``text`` applied to every string of its given and its steps."""
    given = projected(scenario.given, text)
    steps = tuple(_step(step, text) for step in scenario.steps)
    return dataclasses.replace(scenario, given=given, steps=steps)


def _step(step: Step, text: Callable[[str], str]) -> Step:
    value = projected(step.value, text)
    return step if value is step.value else dataclasses.replace(step, value=value)


def projected(value: T, text: Callable[[str], str]) -> T:
    """Return a value with ``text`` applied to every string inside; the same object if none changes.

    Keys of mappings are strings too. Positions and enums are left alone.
    """
    return _projected(value, text)  # type: ignore[no-any-return]


def _projected(value: Any, text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, enum.Enum) else text(value)
    if isinstance(value, tuple):
        items = tuple(_projected(item, text) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if isinstance(value, Mapping):
        return {_projected(k, text): _projected(v, text) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Position)):
        changes = {}
        for field in dataclasses.fields(value):
            old = getattr(value, field.name)
            new = _projected(old, text)
            if new is not old and new != old:
                changes[field.name] = new
        return dataclasses.replace(value, **changes) if changes else value
    return value


def strings_of(value: Any) -> Iterator[str]:
    """Yield every string that :func:`projected` would look at."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings_of(key)
            yield from strings_of(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from strings_of(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, (type, Position, Path)):
        for field in dataclasses.fields(value):
            yield from strings_of(getattr(value, field.name))
