"""The Server-Wide Rules: what the Enqueuer does with a message before any module gets it.

Guide 3.5.2, Message Transfer (Enqueueing) and Automated Mail Processing (Rules). They are applied
when all recipients are routed, once for a message. Reject and Discard end it for all recipients;
what Rules send carries the name of the server's mail system. Execute runs its program in the
server's own environment, in the base directory. Header fields that Rules add, flags
and copies for mailboxes are not known here; they are noted in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from reference.formats.dictionary import DictionaryError, parse
from reference.kernel.clock import Clock
from reference.kernel.rule_course import Course, course_of
from reference.kernel.rules import Rule, RuleError, parse_rules
from reference.queue.delivery import Entry, Outcome, delivered, failed
from reference.queue.directory import Log
from reference.queue.message import QueuedMessage
from reference.queue.queue import QueueError
from reference.queue.threads import Threads
from reference.storage.settings import SERVER_RULES
from reference.transport.account_rules import Submit
from reference.transport.rule_execute import Execution
from reference.transport.rule_mail import NotSent, RuleMail
from reference.transport.rule_subject import QueuedSubject

_TAG = "ENQUEUERRULES"
_PROBLEM, _LOW_LEVEL = 3, 4


class Texts(Protocol):
    """The server's settings, as far as texts go."""

    def text(self, name: str, /) -> str:
        """Return a text; empty without one."""

    def subscribe(self, module: str, callback: Callable[[], object], /) -> object:
        """Call after each change."""


class ServerRules:
    """The Rules of the whole server."""

    def __init__(
        self,
        *,
        texts: Texts,
        threads: Threads,
        submit: Submit,
        clock: Clock,
        log: Log,
        host: Callable[[], str],
        execution: Execution,
    ) -> None:
        """``host`` gives the Main Domain name; ``execution`` runs programs."""
        self._texts = texts
        self._threads = threads
        self._submit = submit
        self._clock = clock
        self._log = log
        self._host = host
        self._execution = execution
        self._rules: tuple[Rule, ...] = ()
        texts.subscribe(SERVER_RULES, self._read)
        self._read()

    def _read(self) -> None:
        text = self._texts.text(SERVER_RULES)
        try:
            self._rules = parse_rules(parse(text)) if text.strip() else ()
        except (DictionaryError, RuleError) as error:
            self._log.write(1, _TAG, f"the Rules cannot be used: {error}")

    def in_force(self) -> bool:
        """Tell whether there are any that are not disabled."""
        return bool(self._rules)

    async def apply(
        self, message: QueuedMessage, entries: Sequence[Entry], routes: Sequence[str]
    ) -> Outcome | None:
        """Apply the Rules to a message; return what ends it for all, None when it goes on.

        Raises OSError when the message cannot be read.
        """
        subject = await self._threads.run(lambda: QueuedSubject(message, entries, routes))
        course = await self._course(subject)
        for note in course.notes:
            self._log.write(_LOW_LEVEL, _TAG, f"[{message.name}] {note}")
        if course.copies or course.added or course.flags:
            text = "copies, flags and header fields are not made by Server-Wide Rules here"
            self._log.write(_PROBLEM, _TAG, f"[{message.name}] {text}")
        await self._send(course, subject)
        if course.rejection:
            return failed(course.rejection, "5.7.1")
        return None if course.inbox else delivered("discarded by Server-Wide Rules")

    async def _course(self, subject: QueuedSubject) -> Course:
        asking = course_of(self._rules, subject, execute=True)
        answer = None
        while True:
            try:
                command = next(asking) if answer is None else asking.send(answer)
            except StopIteration as end:
                course: Course = end.value
                return course
            answer = await self._execution.execute(command, subject)

    async def _send(self, course: Course, subject: QueuedSubject) -> None:
        host = self._host()
        maker = RuleMail(address=f"MAILER-DAEMON@{host}", domain=host, now=self._clock.time())
        for how, parameter in course.sends:
            try:
                made = maker.make(how, parameter, subject)
                name = await self._submit(made.envelope, made.content)
            except (NotSent, QueueError) as error:
                self._note(_PROBLEM, subject, f"{how.value}: not sent: {error}")
            else:
                self._note(_LOW_LEVEL, subject, f"{how.value}: sent as [{name}]")

    def _note(self, level: int, subject: QueuedSubject, text: str) -> None:
        self._log.write(level, _TAG, f"[{subject.message.name}] {text}")
