"""ETRN, ATRN and TURN: what the server answers to those who come for their mail.

Guide 3.5.2, SMTP Module, Serving Dial-up Client Hosts; RFC 1985 (ETRN), RFC 2645 (ATRN). The name
that is asked for is routed as ``wakeup@name``; the SMTP queue that results is released (ETRN), or
sent over the client's own connection after the roles are exchanged (ATRN, and TURN, which is ATRN
without a name). ATRN is for who has logged in to the Main Domain's account of that name, and for
names that Hold Mail for Domains lists: the name itself or the queue that it is routed to.

:class:`Turning` judges; the session of :mod:`reference.protocols.smtp_receive` gives the replies
and its connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from reference.kernel.clock import Clock
from reference.kernel.work import Work
from reference.protocols.smtp_grammar import Fault
from reference.transport.patience import Busy, Patience
from reference.transport.smtp_client import SMTPClient
from reference.transport.smtp_hosts import Relay
from reference.transport.smtp_secure import Insecure, Security
from reference.transport.smtp_session import Session, SessionLost

_NAME = re.compile(r"[A-Za-z0-9._\[\]:-]+")


class Sender(Protocol):
    """The sending side of the SMTP module."""

    def release(self, host: str, /) -> bool:
        """Send what waits for a host now; False when nothing does."""

    def queues_for(self, host: str, /) -> list[Any]:
        """Return the queues of a host."""

    def is_held(self, host: str, /) -> bool:
        """Tell whether Hold Mail for Domains lists a host."""

    async def send_over(self, host: str, session: Session, /) -> None:
        """Send all that waits for a host over a session."""


class Log(Protocol):
    """The System Log."""

    def write(self, level: int, tag: str, text: str, /) -> object:
        """Write a record."""


class Turning:
    """Releases queues; ``queue_of`` gives the SMTP queue of a domain, or nothing."""

    def __init__(
        self,
        *,
        sender: Sender,
        queue_of: Callable[[str], str],
        clock: Clock,
        work: Work,
        log: Log,
        helo: Callable[[], str],
    ) -> None:
        self._sender = sender
        self._queue_of = queue_of
        self._clock = clock
        self._work = work
        self._log = log
        self._helo = helo

    def start_queue(self, argument: str) -> tuple[int, str]:
        """Do ETRN: return the reply. Raises Fault."""
        name = argument.strip()
        if name[:1] in ("@", "#"):
            name = name[1:]
        if not _NAME.fullmatch(name):
            raise Fault(501, "one domain name is expected")
        queue = self._queue_of(name)
        if not queue:
            raise Fault(459, f"{name} is not allowed: no mail is relayed to it")
        if not self._sender.release(queue):
            return 251, f"no messages are waiting for {name}"
        return 250, f"queuing for {name} is started"

    def queue_for_turn(self, argument: str, account: str) -> str:
        """Return the queue that ATRN gives ``account``. Raises Fault.

        ``account`` is the Main Domain's account that has logged in, or empty for one elsewhere.
        """
        name = argument.strip() or account
        if not account:
            raise Fault(450, "the login is for no domain name")
        if not _NAME.fullmatch(name):
            raise Fault(501, "one domain name at most is expected")
        if name.lower() != account.lower():
            raise Fault(450, f"{name} is refused: the login is for another name")
        queue = self._queue_of(name)
        if not queue or not (self._sender.is_held(name) or self._sender.is_held(queue)):
            raise Fault(450, f"{name} is refused: no mail is held for it")
        if not any(each.transfers for each in self._sender.queues_for(queue)):
            raise Fault(453, "you have no mail")
        return queue

    async def send(self, queue: str, client: SMTPClient, relay: Relay, *, secured: bool) -> None:
        """Send a queue over a connection whose roles have just been exchanged."""
        busy = Busy(work=self._work, name=f"SMTP {queue}")
        session = Session(
            client=client,
            patience=Patience(clock=self._clock, work=self._work),
            busy=busy,
            relay=relay,
            helo=self._helo(),
        )
        session.secured = secured
        try:
            await session.open(tls=_no_tls, security=Security(), now=self._clock.time(), login=None)
            await self._sender.send_over(queue, session)
        except (SessionLost, Insecure) as error:
            self._log.write(3, f"SMTPO({queue})", f"sending by ATRN failed: {error}")
            session.abort()
        finally:
            busy.done()


def _no_tls() -> object:
    raise Insecure("TLS cannot begin any more")
