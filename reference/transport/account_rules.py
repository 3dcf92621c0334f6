"""An account's Rules at delivery: what they say is done with a message of its queue.

Guide 3.5.2, Local Delivery Module (Automated Mail Processing) and Automated Mail Processing
(Rules). The message is stored before anything is sent, so that a disk that is full repeats no
reply; a copy that cannot be stored keeps the message in the INBOX, whatever the Rule says then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred

from reference.formats.dictionary import Value
from reference.kernel.rule_course import Copy, Course, run
from reference.kernel.rules import RULES, Rule
from reference.queue.delivery import Outcome, Result, delivered, failed
from reference.queue.envelope import Envelope
from reference.queue.queue import QueueError
from reference.queue.threads import Threads
from reference.storage.domains import Account
from reference.storage.mbox_format import NO_FLAGS, Flag
from reference.transport.local_store import INBOX, Kept, Obstacle, Part, Storing, mark
from reference.transport.rule_mail import NotSent, RuleMail
from reference.transport.rule_subject import QueuedSubject

#: Hands a message of one's own to the queue.
Submit = Callable[[Envelope, Callable[[], Iterable[bytes]]], Deferred[str]]
#: Writes a record about the message in hand.
Note = Callable[[int, str], None]

_FLAGS = {"Seen": Flag.SEEN, "Flagged": Flag.FLAGGED, "Answered": Flag.ANSWERED}
_ALL_INFO, _LOW_LEVEL, _PROBLEM = 5, 4, 3


@dataclass(frozen=True, kw_only=True)
class AccountRules:
    """Applies Rules and does what they say."""

    threads: Threads
    submit: Submit

    async def deliver(
        self, part: Part, rules: Sequence[Rule], storing: Storing, note: Note
    ) -> Outcome | Kept:
        """Apply an account's Rules to a message for it."""
        try:
            if await self.threads.run(storing.storage.is_full):
                return Kept(Obstacle.FULL)
            subject = await self.threads.run(lambda: QueuedSubject(part.message, part.entries))
            course = run(rules, subject)
            for text in course.notes:
                note(_ALL_INFO, text)
            outcome = await self.threads.run(partial(_store_and_mark, part, course, storing, note))
        except Exception as error:  # noqa: BLE001 - one message must not hold up the others
            return Kept(Obstacle.BROKEN, repr(error))
        if outcome.result is not Result.FAILED or course.rejection:
            await self._send(course, subject, storing, note)
        return outcome

    async def _send(
        self, course: Course, subject: QueuedSubject, storing: Storing, note: Note
    ) -> None:
        account = storing.storage.account
        maker = RuleMail(address=account.address, domain=account.domain.name, now=storing.now)
        for how, parameter in course.sends:
            try:
                made = maker.make(how, parameter, subject)
                name = await self.submit(made.envelope, made.content)
            except (NotSent, QueueError) as error:
                note(_PROBLEM, f"{how.value}: not sent: {error}")
            else:
                note(_LOW_LEVEL, f"{how.value}: sent as [{name}]")


def _store_and_mark(part: Part, course: Course, storing: Storing, note: Note) -> Outcome:
    outcome = _store(part, course, storing, note)
    if not course.sends:  # what is still to be sent must not be forgotten by a killed server
        mark(part, outcome)
    return outcome


def _store(part: Part, course: Course, storing: Storing, note: Note) -> Outcome:
    """Store what a course says; in a thread. Raises FileError, OSError."""
    inbox = course.inbox
    copies = list(course.copies)
    for copy in copies:
        outcome = _copy(part, copy, storing)
        if outcome.result is Result.FAILED:
            note(_PROBLEM, f"Store in {copy.mailbox}: {outcome.text}")
            inbox = True
    if course.rejection:
        return failed(course.rejection, "5.7.1")
    if not inbox:
        return delivered("stored by Rules" if copies else "discarded by Rules")
    return _copy(part, Copy(INBOX, frozenset(course.flags), course.added), storing)


def _copy(part: Part, copy: Copy, storing: Storing) -> Outcome:
    flags = NO_FLAGS
    for flag in copy.flags:
        flags |= _FLAGS[flag]
    return storing.copy(part.message, part.entries, copy.mailbox, flags=flags, added=copy.added)


def rules_of(account: Account) -> Value:
    """Return the data of an account's Rules; an empty array without any."""
    return account.explicit.get(RULES, [])
