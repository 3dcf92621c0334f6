"""What Rules make of a message: the actions of those whose conditions it meets, in order.

Guide 3.5.2, Automated Mail Processing (Rule Actions). :func:`run` goes through Rules and returns a
:class:`Course`: where copies are stored, with which flags and additional header fields, what is
sent, and whether the message is stored in the INBOX in the end. Nothing is done here; the course is
followed by whoever asked. What Execute finds decides how the Rule goes on, so :func:`course_of`
stops there and asks.

Actions that are not known yet (React with, …) are noted and passed over.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reference.kernel.rules import Action, Mailbox, Rule, Subject

DEFAULT_REJECTION = "the message is rejected"


class Sending(enum.Enum):
    """How a message of one's own is made of the one that came."""

    REDIRECT = "redirect to"
    FORWARD = "forward to"
    MIRROR = "mirror to"
    REPLY = "reply with"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy for a mailbox."""

    mailbox: str
    flags: frozenset[str]
    added: str


@dataclass(slots=True)
class Course:
    """What is to be done with a message."""

    copies: list[Copy] = field(default_factory=list)
    """For mailboxes other than the INBOX at the end."""
    sends: list[tuple[Sending, str]] = field(default_factory=list)
    """What is sent, with the action's parameter."""
    inbox: bool = True
    """The message is stored in the INBOX."""
    rejection: str = ""
    """The error text, when the message is rejected."""
    flags: set[str] = field(default_factory=set)
    """Of ``Seen``, ``Flagged``, ``Answered``."""
    added: str = ""
    """Additional header fields: lines that end with LF."""
    notes: list[str] = field(default_factory=list)
    """What was done and why not, for the log."""


_FLAGS = {
    "read": ("Seen", True),
    "unread": ("Seen", False),
    "flagged": ("Flagged", True),
    "unflagged": ("Flagged", False),
    "answered": ("Answered", True),
    "unanswered": ("Answered", False),
}
_EXECUTE = "execute"
_SENDINGS = {sending.value: sending for sending in Sending}


class _Grown:
    """A message with the header fields that Rules have added so far."""

    def __init__(self, subject: Subject, course: Course) -> None:
        self._subject = subject
        self._course = course
        self.return_path = subject.return_path
        self.recipients: Sequence[str] = subject.recipients
        self.routes: Sequence[str] = subject.routes
        self.size = subject.size

    def fields(self) -> Iterator[tuple[str, str]]:
        yield from self._subject.fields()
        for line in self._course.added.splitlines():
            name, colon, value = line.partition(":")
            if colon:
                yield name.strip(), value.strip()

    def addresses(self, field: str) -> Sequence[Mailbox]:
        return self._subject.addresses(field)


#: Yields the command lines of Execute actions; is sent the text with which the message is to be
#: rejected, or an empty one when the next action may follow; returns the course.
Asking = Generator[str, str, Course]


def run(rules: Iterable[Rule], subject: Subject) -> Course:
    """Apply Rules, which are in the order of their priority, where no program may be run."""
    asking = course_of(rules, subject, execute=False)
    try:
        next(asking)
    except StopIteration as end:
        course: Course = end.value
        return course
    raise RuntimeError("a program is asked for where none may be run")


def course_of(rules: Iterable[Rule], subject: Subject, *, execute: bool) -> Asking:
    """Apply Rules, which are in the order of their priority, to a message.

    Without ``execute`` that action is not known.
    """
    course = Course()
    grown = _Grown(subject, course)
    for rule in rules:
        condition = rule.unmet(grown)
        if condition is not None:
            course.notes.append(f"Rule {rule.name!r}: condition not met: {condition}")
            continue
        course.notes.append(f"Rule {rule.name!r} is applied")
        if not (yield from _perform(rule, course, execute)):
            break
    return course


def _perform(rule: Rule, course: Course, execute: bool) -> Generator[str, str, bool]:
    """Do a Rule's actions; return False when no other Rule is to be looked at."""
    for action in rule.actions:
        course.notes.append(f"Rule {rule.name!r}: action {action}")
        what = action.what.lower()
        if what == _EXECUTE and execute:
            rejection = yield action.parameter
            if rejection:
                course.inbox, course.rejection = False, rejection
                return False
            continue
        if what in _SENDINGS:
            course.sends.append((_SENDINGS[what], action.parameter))
            continue
        ends = _LAST.get(what)
        if ends is not None:
            ends(action, course)
            return False
        act = _ACTIONS.get(what)
        if act is None:
            course.notes.append(f"Rule {rule.name!r}: action {action.what} is not known here")
        else:
            act(action, course)
    return True


def _stop(action: Action, course: Course) -> None:
    """Leave the message as it is."""


def _discard(action: Action, course: Course) -> None:
    course.inbox = False


def _reject(action: Action, course: Course) -> None:
    course.inbox = False
    course.rejection = action.parameter.strip() or DEFAULT_REJECTION


def _mark(action: Action, course: Course) -> None:
    for operation in action.parameter.split(","):
        flag, on = _FLAGS.get(operation.strip().lower(), ("", False))
        if on:
            course.flags.add(flag)
        else:
            course.flags.discard(flag)


def _add_headers(action: Action, course: Course) -> None:
    lines = action.parameter.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    course.added += "".join(f"{line}\n" for line in lines if line.strip())


def _store(action: Action, course: Course) -> None:
    course.copies.append(Copy(action.parameter, frozenset(course.flags), course.added))


Act = Callable[[Action, Course], None]

#: Actions after which a Rule's execution stops.
_LAST: Mapping[str, Act] = {
    "stop processing": _stop,
    "discard": _discard,
    "reject": _reject,
    "reject with": _reject,
}
_ACTIONS: Mapping[str, Act] = {
    "mark": _mark,
    "add header": _add_headers,
    "add headers": _add_headers,
    "store in": _store,
}
