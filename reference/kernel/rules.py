"""Rules: what they say, and whether a message meets their conditions.

Guide 3.5.2, Automated Mail Processing (Rules). A Rule is an array ``(priority, name, conditions,
actions)``; a condition ``(data, operation, parameter)`` or just ``(data)``, an action ``(action,
parameter)`` or ``(action)``, where ``---`` stands for a part that is missing. Rules with a higher
priority come first; those with the priority 0 are disabled. All conditions of a Rule must be met.

Texts are compared with pictures, without regard to letter case: an asterisk stands for any symbols,
``in`` and ``not in`` take several pictures with commas between them. Of several addresses one is
enough, for ``is not``, too; a message without any does not meet a condition on addresses.

Pure: a message is asked through :class:`Subject`. What actions do is not known here. Conditions on
times and string lists are not known yet, and are not met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from reference.formats.dictionary import Value

#: Where an account keeps its Rules, among its settings.
RULES = "Rules"
DISABLED = 0
_NOTHING = "---"


class RuleError(Exception):
    """A value is no Rule."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address of a header field."""

    address: str
    name: str
    """The real name; empty without one."""


class Subject(Protocol):
    """A message, as Rules see it."""

    @property
    def return_path(self) -> str:
        """The envelope's return path; empty for the null one."""

    @property
    def recipients(self) -> Sequence[str]:
        """The envelope addresses, as ``<user@domain>``, as they were before routing."""

    @property
    def routes(self) -> Sequence[str]:
        """Return the local parts of the routed addresses; empty but under Server-Wide Rules."""

    @property
    def size(self) -> int:
        """Octets of the message."""

    def fields(self) -> Iterable[tuple[str, str]]:
        """Return the names and values of the header fields, those that Rules have added too."""

    def addresses(self, field: str) -> Sequence[Mailbox]:
        """Return the addresses in the fields of a name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a Rule."""

    what: str
    operation: str
    parameter: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.operation, self.parameter) if part)


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a Rule."""

    what: str
    parameter: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.parameter.split("\n")[0]) if part)


@dataclass(frozen=True, slots=True)
class Rule:
    """A Rule that is in force."""

    priority: int
    name: str
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]

    def unmet(self, subject: Subject) -> Condition | None:
        """Return the first condition that a message does not meet; None when it meets all."""
        for condition in self.conditions:
            if not _meets(condition, subject):
                return condition
        return None


def parse_rules(value: Value) -> tuple[Rule, ...]:
    """Return the Rules in force, those with the highest priority first. Raises RuleError."""
    if not isinstance(value, list):
        raise RuleError("Rules are an array")
    rules = [_rule(each) for each in value]
    in_force = (rule for rule in rules if rule.priority > DISABLED)
    return tuple(sorted(in_force, key=lambda rule: -rule.priority))


def _rule(value: Value) -> Rule:
    match value:
        case [str(priority), str(name), [*conditions], [*actions], *_] if priority.isdecimal():
            return Rule(
                int(priority),
                name,
                tuple(Condition(*_parts(each, 3)) for each in conditions),
                tuple(Action(*_parts(each, 2)) for each in actions),
            )
    raise RuleError("a Rule is an array of a priority, a name, conditions and actions")


def _parts(value: Value, count: int) -> tuple[str, ...]:
    """Return the strings of an array, made ``count`` long; a lone string is an array of one."""
    strings = [value] if isinstance(value, str) else value
    if not isinstance(strings, list) or not 1 <= len(strings) <= count:
        raise RuleError(f"an array of at most {count} strings is expected")
    parts = []
    for part in strings:
        if not isinstance(part, str):
            raise RuleError(f"an array of at most {count} strings is expected")
        parts.append("" if part == _NOTHING else part)
    return (*parts, *[""] * (count - len(parts)))


# Conditions --------------------------------------------------------------------------------------

Test = Callable[[str], bool]


@cache
def _picture(text: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in text.split("*"))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)


def _test(condition: Condition) -> Test | None:
    """Return the test of one text that the operation and parameter make; None for no test."""
    operation, parameter = condition.operation.lower(), condition.parameter
    if operation in ("is", "is not"):
        pictures = [_picture(parameter)]
    elif operation in ("in", "not in") and not parameter.startswith("#"):
        pictures = [_picture(part) for part in parameter.split(",")]
    else:
        return None
    wanted = operation in ("is", "in")
    return lambda text: any(p.fullmatch(text) for p in pictures) == wanted


def _number_test(condition: Condition) -> Callable[[int], bool] | None:
    text = condition.parameter.strip()
    if not (text.isascii() and text.isdecimal()):
        return None
    limit = int(text)
    tests: Mapping[str, Callable[[int], bool]] = {
        "is": lambda number: number == limit,
        "is not": lambda number: number != limit,
        "less than": lambda number: number < limit,
        "greater than": lambda number: number > limit,
    }
    return tests.get(condition.operation.lower())


def _meets(condition: Condition, subject: Subject) -> bool:
    what = condition.what.lower()
    if what == "human generated":
        return _is_human(subject)
    if what == "message size":
        compare = _number_test(condition)
        return compare is not None and compare(subject.size)
    test = _test(condition)
    examine = _TEXTS.get(what)
    if what == "header field" and "not" in condition.operation.lower():
        examine = _no_header_field
    return test is not None and examine is not None and examine(subject, test)


def _any_of(*fields: str) -> Callable[[Subject, Test], bool]:
    return lambda subject, test: any(
        test(found.address) for field in fields for found in subject.addresses(field)
    )


def _each_of(*fields: str) -> Callable[[Subject, Test], bool]:
    return lambda subject, test: all(
        test(found.address) for field in fields for found in subject.addresses(field)
    )


def _text_of(field: str) -> Callable[[Subject, Test], bool]:
    def examine(subject: Subject, test: Test) -> bool:
        values = [value for name, value in subject.fields() if name.lower() == field]
        return test(values[0] if values else "")

    return examine


def _header_field(subject: Subject, test: Test) -> bool:
    return any(test(f"{name}: {value}") for name, value in subject.fields())


def _no_header_field(subject: Subject, test: Test) -> bool:
    return all(test(f"{name}: {value}") for name, value in subject.fields())


def _recipient(found: Callable[[Iterable[bool]], bool]) -> Callable[[Subject, Test], bool]:
    def examine(subject: Subject, test: Test) -> bool:
        # The picture may have the angle brackets that the documents show, or not.
        return found(test(path) or test(path.strip("<>")) for path in subject.recipients)

    return examine


def _route(found: Callable[[Iterable[bool]], bool]) -> Callable[[Subject, Test], bool]:
    def examine(subject: Subject, test: Test) -> bool:
        return bool(subject.routes) and found(test(route) for route in subject.routes)

    return examine


_TEXTS: Mapping[str, Callable[[Subject, Test], bool]] = {
    "from": _any_of("from"),
    "sender": _any_of("sender"),
    "reply-to": _any_of("reply-to"),
    "to": _any_of("to"),
    "cc": _any_of("cc"),
    "any to or cc": _any_of("to", "cc"),
    "each to or cc": _each_of("to", "cc"),
    "'from' name": lambda subject, test: any(
        test(found.name) for found in subject.addresses("from")
    ),
    "return-path": lambda subject, test: test(subject.return_path),
    "subject": _text_of("subject"),
    "message-id": _text_of("message-id"),
    "header field": _header_field,
    "recipient": _recipient(any),
    "any recipient": _recipient(any),
    "each recipient": _recipient(all),
    "any route": _route(any),
    "each route": _route(all),
}

_AUTOMATIC = re.compile(r"x-list|x-mirror|x-auto|x-mailing-list\Z", re.IGNORECASE)


def _is_human(subject: Subject) -> bool:
    """Tell whether no automaton has made a message."""
    for name, value in subject.fields():
        if _AUTOMATIC.match(name):
            return False
        if name.lower() == "precedence" and value.strip().lower() in ("bulk", "junk", "list"):
            return False
    return bool(subject.return_path)
