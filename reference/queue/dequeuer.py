"""The Dequeuer: collects what became of recipients, reports it, and removes finished messages.

Guide 3.5.2, Message Transfer, Dequeueing. A report about a message gathers the results of several
recipients: it is made at once when the message's last recipient is processed, else after the
Reporting Delay. It goes to the return path as a message of its own with the null return path, and
never to the null return path, so no report can cause another. As many reports are made at the same
time as there are Dequeuer Processors.

The order is what keeps mail safe: a recipient is marked as done only when its report is durable,
and the message's file goes last. A server that is killed in between reports or tries again; it
never forgets.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.kernel.clock import Clock, Timer
from reference.kernel.work import Token, Work
from reference.queue import report as reports
from reference.queue.delivery import Outcome, Result, delivered
from reference.queue.directory import Log, QueueDirectory
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.head import State
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.queue.report import Ended, Report

#: Seconds after which a report that could not be written is tried again.
RETRY = 60.0
_CONDITIONS = {
    Result.FAILED: "FAILURE",
    Result.DELAYED: "DELAY",
}


class _Open:
    """What the Dequeuer remembers of a message while it is in the queue."""

    __slots__ = ("due", "ended", "timer")

    def __init__(self, message: QueuedMessage) -> None:
        #: Recipients whose fate is known, whether it is reported or not.
        self.ended = {at for at, state in enumerate(message.states) if state is not State.WAITING}
        #: Reports that are owed and not under way.
        self.due: dict[int, Outcome] = {}
        self.timer: Timer | None = None

    def hold(self) -> None:
        """Forget the timer."""
        timer, self.timer = self.timer, None
        if timer is not None and timer.active():
            timer.cancel()


@dataclass(frozen=True, slots=True)
class _Owed:
    """A report that waits for a processor, or is being made."""

    message: QueuedMessage
    entry: _Open
    due: Mapping[int, Outcome]
    token: Token


class Dequeuer:
    """Ends what the modules report about.

    ``submit`` hands a report to the queue: it gets the report's envelope and a call that reads its
    content in blocks (in a thread), and returns a Deferred that fires when the report is durable.
    """

    def __init__(
        self,
        *,
        directory: QueueDirectory,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        host: Callable[[], str],
        submit: Callable[[Envelope, Callable[[], Iterable[bytes]]], Deferred[str]],
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._work = work
        self._log = log
        self._settings = settings
        self._host = host
        self._submit = submit
        self._open: dict[str, _Open] = {}
        self._owing: deque[_Owed] = deque()
        self._busy = 0
        self._dealing = False

    def report(self, message: QueuedMessage, indexes: Sequence[int], outcome: Outcome) -> None:
        """Take a module's report about recipients of a message.

        A second report about a recipient whose fate is known is ignored.
        """
        entry = self._entry(message)
        changed = []
        for index in indexes:
            if index in entry.ended:
                continue
            self._note(message, index, outcome)
            owed = self._owed(message, index, outcome)
            if owed:
                entry.due[index] = outcome
            if outcome.result is Result.DELAYED:
                continue
            entry.ended.add(index)
            if outcome.result is not Result.FAILED:
                message.states[index] = State.REPORT_OWED if owed else State.DONE
                changed.append(index)
            elif not owed:
                message.states[index] = State.DONE
                changed.append(index)
        if changed:
            self._write_down(message, changed)
        self._go_on(message, entry, changed, urgent=outcome.result is Result.DELAYED)

    def _write_down(self, message: QueuedMessage, changed: Sequence[int]) -> None:
        """Let a killed server know at once what need not be delivered again."""
        try:
            message.write_down(changed)
        except OSError as error:
            self._log.write(1, "DEQUEUER", f"[{message.name}] {error}")

    def resume(self, message: QueuedMessage) -> None:
        """Go on with a message of the last run: report what is owed, or remove the message."""
        entry = self._entry(message)
        for index, state in enumerate(message.states):
            if state is State.REPORT_OWED:
                entry.due[index] = delivered("delivered")
        self._go_on(message, entry, [], urgent=False)

    def _entry(self, message: QueuedMessage) -> _Open:
        entry = self._open.get(message.name)
        if entry is None:
            entry = self._open[message.name] = _Open(message)
        return entry

    def _owed(self, message: QueuedMessage, index: int, outcome: Outcome) -> bool:
        if outcome.result in (Result.DELIVERED, Result.RELAYED):
            return message.owes_success(index)
        if not message.envelope.return_path or outcome.result is Result.PASSED:
            return False
        if outcome.result is Result.DELAYED and message.warned[index]:
            return False
        return message.envelope.recipients[index].wants(_CONDITIONS[outcome.result])

    def _note(self, message: QueuedMessage, index: int, outcome: Outcome) -> None:
        address = message.envelope.recipients[index].address
        self._log.write(
            1 if outcome.result is Result.FAILED else 2,
            "DEQUEUER",
            f"[{message.name}] <{address}> {outcome.result.value}: {outcome.text}",
        )

    def _go_on(
        self, message: QueuedMessage, entry: _Open, changed: Sequence[int], *, urgent: bool
    ) -> None:
        complete = len(entry.ended) == len(message.states)
        if entry.due and (complete or urgent):
            self._flush(message, entry)
        elif entry.due and entry.timer is None:
            self._report_in(self._settings.get("Queue", "ReportingDelay"), message, entry)
        if message.finished():
            self._remove(message, entry)
        elif changed:
            self._mark(message, changed)

    def _report_in(self, seconds: float, message: QueuedMessage, entry: _Open) -> None:
        entry.hold()
        entry.timer = self._clock.call_later(seconds, self._flush, message, entry)

    def _flush(self, message: QueuedMessage, entry: _Open) -> None:
        """Make one report of all that is owed, as soon as a processor is free."""
        entry.hold()
        due, entry.due = entry.due, {}
        self._owing.append(_Owed(message, entry, due, self._work.task("report")))
        self._next_report()

    def _next_report(self) -> None:
        """Give reports to free processors. A report that ends at once does not come back here."""
        if self._dealing:
            return
        self._dealing = True
        while self._owing and self._busy < self._settings.get("Queue", "DequeuerProcessors"):
            self._busy += 1
            owed = self._owing.popleft()
            try:
                envelope, content = self._compose(owed.message, owed.due)
            except OSError as error:
                self._ended(owed, Failure(error))
                continue
            self._submit(envelope, content).addBoth(partial(self._ended, owed))
        self._dealing = False

    def _ended(self, owed: _Owed, result: str | Failure) -> None:
        """Go on when a report is durable, or could not be written."""
        self._busy -= 1
        if isinstance(result, Failure):
            self._put_off(result.value, owed)
        else:
            self._reported(result, owed)
        owed.token.done()
        self._next_report()

    def _compose(
        self, message: QueuedMessage, due: Mapping[int, Outcome]
    ) -> tuple[Envelope, Callable[[], Iterable[bytes]]]:
        header = message.header()
        recipients = message.envelope.recipients
        report = Report(
            host=self._host(),
            name=f"{message.name}.{secrets.token_hex(6)}",
            to=message.envelope.return_path,
            envelope=message.envelope,
            submitted=message.submitted,
            now=self._clock.time(),
            subject=reports.subject_of(header),
            recipients=[Ended(recipients[index], due[index]) for index in sorted(due)],
            whole=returns_whole(self._settings.get("Queue", "FailureReturn"), message.envelope.ret),
        )
        to = [Recipient(message.envelope.return_path, notify="NEVER")]
        copy = self._settings.get("Queue", "CopyFailuresTo")
        if copy and report.worst is Result.FAILED:
            to.append(Recipient(copy, notify="NEVER"))

        def content() -> Iterable[bytes]:
            yield reports.before(report)
            if report.whole:
                yield from message.blocks()
            else:
                yield header
            yield reports.after(report)

        return Envelope("", tuple(to), Source("DEQUEUER")), content

    def _reported(self, name: str, owed: _Owed) -> None:
        message = owed.message
        self._log.write(3, "DEQUEUER", f"[{message.name}] report [{name}] sent")
        for index, outcome in owed.due.items():
            if outcome.result is Result.DELAYED:
                message.warned[index] = True
            else:
                message.states[index] = State.DONE
        if message.finished():
            self._remove(message, owed.entry)
        else:
            self._mark(message, list(owed.due))

    def _put_off(self, error: object, owed: _Owed) -> None:
        self._log.write(1, "DEQUEUER", f"[{owed.message.name}] report failed: {error}")
        owed.entry.due = {**owed.due, **owed.entry.due}
        self._report_in(RETRY, owed.message, owed.entry)

    def _mark(self, message: QueuedMessage, indexes: Sequence[int]) -> None:
        self._write(partial(self._directory.mark, message, indexes), message)

    def _remove(self, message: QueuedMessage, entry: _Open) -> None:
        entry.hold()
        if self._open.pop(message.name, None) is not None:
            self._write(partial(self._directory.remove, message), message)

    def _write(self, writing: Callable[[], Deferred[None]], message: QueuedMessage) -> None:
        """Write to a message's file, again and again if need be: a disk may be full for a while.

        What is not written down would be delivered a second time after a restart.
        """
        token = self._work.task("dequeue")

        def ended(result: object) -> None:
            if isinstance(result, Failure):
                self._log.write(1, "DEQUEUER", f"[{message.name}] {result.value}")
                if not result.check(FileNotFoundError):
                    self._clock.call_later(RETRY, self._write, writing, message)
            token.done()

        writing().addBoth(ended)


def returns_whole(setting: str, ret: str) -> bool:
    """Tell whether a report returns the whole message.

    ``setting`` is On Failure, Return: ``headers by default``, ``body by default``,
    ``always headers`` or ``always body``; ``ret`` is what the sender asked for.
    """
    when, _, what = setting.lower().partition(" ")
    if when == "always":
        return what == "body"
    if ret:
        return ret.upper() == "FULL"
    return when == "body"
