"""What a family of scenarios is: random cases, and a model that says what must come of each.

The model is written from the documents and from nothing else. A case becomes the text of an
ordinary scenario file, which the loader reads like any other: so what was tried and what is kept as
a counter-example are the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from hypothesis.strategies import SearchStrategy

_WIDTH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A scenario that is not a file yet."""

    title: str
    given: Mapping[str, Any]
    """The values of ``given``, as docs/scenarios.md describes them."""
    steps: Sequence[Mapping[str, Any]]
    """The steps, a mapping of one key each."""
    note: str = ""
    requires: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One rule of the documents."""

    name: str
    about: str
    """The rule, in a few words."""
    source: str
    """Document > chapter > section."""
    cases: SearchStrategy[Any]
    draft: Callable[[Any], Draft]
    """Makes a case a scenario, expectations included: the model."""

    def text(self, case: Any) -> str:
        """Return the text of a scenario file for a case."""
        draft = self.draft(case)
        head: dict[str, Any] = {"title": draft.title, "source": self.source, "level": "beyond"}
        if draft.requires:
            head["requires"] = list(draft.requires)
        if draft.note:
            head["note"] = draft.note
        lines = [f"{key}: {_flow(value)}" for key, value in head.items()]
        lines.append("given:")
        lines += [f"  {key}: {_value(value)}" for key, value in draft.given.items()]
        lines.append("steps:")
        lines += [
            f"  - {key}: {_flow(value)}" for step in draft.steps for key, value in step.items()
        ]
        return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Return a value of ``given``: a block of lines where it has several, else in one line."""
    if isinstance(value, str) and "\n" in value:
        return "|\n" + "\n".join(f"    {line}" for line in value.rstrip("\n").split("\n"))
    return _flow(value)


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=_WIDTH, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def minutes(number: int) -> str:
    """Return a duration as scenarios write it: ``1d 2h 30m``."""
    days, rest = divmod(number, 1440)
    hours, left = divmod(rest, 60)
    pieces = [(days, "d"), (hours, "h"), (left, "m")]
    return " ".join(f"{count}{unit}" for count, unit in pieces if count) or "0m"
