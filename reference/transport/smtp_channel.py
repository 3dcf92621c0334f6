"""What a channel does: it carries what is ready in a host's queue over to the host.

Guide 3.5.2, SMTP Module, Sending Messages via the Internet, and Message Transfer, Delays and
Suspensions. A channel opens a session, sends one message after the other, reports what became of
each recipient, and ends when nothing is left to send. What a host refuses for the time being waits
alone; when no relay can be reached the whole queue waits; what may only go over a secure connection
and cannot is returned.

When a queue gets a channel, and when it looks at its clock, is
:mod:`reference.transport.smtp_send`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reference.kernel.clock import Clock
from reference.queue.delivery import Entry, Outcome, Reports, Result, failed
from reference.transport.patience import Busy
from reference.transport.retry import Schedule
from reference.transport.smtp_connect import Connector, Note
from reference.transport.smtp_hosts import Relay, Unreachable
from reference.transport.smtp_queues import Channels, HostQueue
from reference.transport.smtp_secure import Insecure
from reference.transport.smtp_session import Answer, Fate, Session
from reference.transport.waiting import Transfer


class Carrier:
    """Does the work of channels. ``schedule`` gives the periods in force."""

    def __init__(
        self,
        *,
        clock: Clock,
        connector: Connector,
        channels: Channels,
        reports: Reports,
        schedule: Callable[[], Schedule],
        note: Note,
    ) -> None:
        self._clock = clock
        self._connector = connector
        self._channels = channels
        self._reports = reports
        self._schedule = schedule
        self._note = note

    async def carry(self, queue: HostQueue, busy: Busy) -> None:
        """Send what is ready, over as many connections as it takes, one at a time."""
        while queue.ready(self._clock.time()):
            try:
                session = await self._connector.connect(queue, busy)
            except Unreachable as error:
                if queue.channels > 1:  # the others have found the host
                    self._channels.not_taken(queue)
                else:
                    self._unreachable(queue, error)
                return
            except Insecure as error:
                self._insecure(queue, error)
                continue
            of_use = await self._send_all(queue, session)
            if not of_use and queue.channels == 1 and queue.ready(self._clock.time()):
                self.suspend(queue, queue.trouble)

    def _insecure(self, queue: HostQueue, error: Insecure) -> None:
        """Return what may only go over a secure connection."""
        text = f"no secure connection to {queue.host} is possible: {error}"
        self._note(3, queue, text)
        kept: list[Transfer] = []
        for transfer in queue.transfers:
            if self._connector.demands_security(queue, transfer):
                outcome = failed(text, "5.7.10")
                self._reports.report(transfer.message, transfer.indexes, outcome)
            else:
                kept.append(transfer)
        queue.transfers = kept

    def _unreachable(self, queue: HostQueue, error: Unreachable) -> None:
        if not error.lasting:
            self.suspend(queue, error.text)
            return
        self._note(3, queue, error.text)
        transfers, queue.transfers = queue.transfers, []
        for transfer in transfers:
            outcome = failed(error.text, error.status)
            self._reports.report(transfer.message, transfer.indexes, outcome)

    async def _send_all(self, queue: HostQueue, session: Session) -> bool:
        """Send what is ready over a session; return False if it broke before it was of use."""
        completed, alive = await self.send_ready(queue, session)
        if alive:
            await session.quit()
        return completed or alive

    async def send_ready(self, queue: HostQueue, session: Session) -> tuple[bool, bool]:
        """Send what is ready; return whether a transfer was completed, and the session is left."""
        completed = False
        while transfer := queue.next_ready(self._clock.time()):
            if not session.secured and self._connector.demands_security(queue, transfer):
                queue.transfers.insert(0, transfer)
                break
            queue.in_hand += 1
            try:
                answers = await session.transfer(transfer.message, transfer.entries)
            except Exception as error:  # noqa: BLE001 - whatever broke, the message must stay
                session.abort()
                self._lost(queue, transfer, session.relay, error)
                return completed, False
            finally:
                queue.in_hand -= 1
            completed = True
            self._channels.completed(queue)
            self._settle(queue, transfer, session, answers)
        return completed, True

    def _lost(self, queue: HostQueue, transfer: Transfer, relay: Relay, error: Exception) -> None:
        """A session broke in the middle of a transaction: the message waits, behind others."""
        queue.trouble = transfer.last_word = f"{relay.name} [{relay.ip}]: {error}"
        self._note(3, queue, f"[{transfer.message.name}] delayed: {transfer.last_word}")
        self._delay(transfer)
        queue.transfers.append(transfer)

    def _delay(self, transfer: Transfer) -> None:
        now = self._clock.time()
        transfer.due = now + self._schedule().interval(now - transfer.message.submitted)

    def _settle(
        self,
        queue: HostQueue,
        transfer: Transfer,
        session: Session,
        answers: Mapping[int, Answer],
    ) -> None:
        """Report the recipients of a completed transaction, or keep them."""
        groups: dict[Answer, list[Entry]] = {}
        for entry in transfer.entries:
            groups.setdefault(answers[entry.index], []).append(entry)
        for answer, entries in groups.items():
            level = 2 if answer.fate is Fate.SENT else 3
            text = f"{answer.fate.value} for {len(entries)} recipient(s): {answer.reply}"
            self._note(level, queue, f"[{transfer.message.name}] {text}")
            if answer.fate in (Fate.SENT, Fate.REFUSED):
                outcome = _outcome(answer, session)
                indexes = [entry.index for entry in entries]
                self._reports.report(transfer.message, indexes, outcome)
                continue
            rest = Transfer(transfer.message, entries)
            rest.last_word = f"{session.relay.name} said: {answer.reply}"
            rest.warned = transfer.warned
            if answer.fate is Fate.DELAYED:
                self._delay(rest)
            queue.transfers.append(rest)

    def suspend(self, queue: HostQueue, trouble: str) -> None:
        """Delay a whole queue."""
        self._note(3, queue, trouble)
        queue.suspend(self._clock.time(), self._schedule(), trouble)


def _outcome(answer: Answer, session: Session) -> Outcome:
    name, words = session.relay.name, str(answer.reply)
    if answer.fate is Fate.SENT:
        result = Result.PASSED if "DSN" in session.extensions else Result.RELAYED
        return Outcome(result, f"{name} took it: {words}", "2.0.0", name)
    return failed(
        f"{name} refused it: {words}",
        answer.reply.status,
        remote=name,
        diagnostic=f"smtp; {words}",
    )
