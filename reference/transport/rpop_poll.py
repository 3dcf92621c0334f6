"""One poll: a session in which the messages of one remote account are retrieved.

Guide 3.5.2, RPOP Module. A message is the server's before it is deleted on the remote host, or,
with Leave, remembered by its UID. A message that has been retrieved but is still there, because the
last session broke before its end, is deleted and not retrieved again. Leave needs UIDs: an account
on a host without them fails. When anything is polled is :mod:`reference.transport.rpop`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory

from reference.kernel.banned import Scanner
from reference.kernel.clock import Clock
from reference.queue.options import Settings
from reference.queue.queue import Queue, QueueError
from reference.queue.threads import Threads
from reference.storage.errors import StorageError
from reference.storage.remote_accounts import RemoteAccount
from reference.storage.uid_memory import UidMemory
from reference.transport.dnr import DNSFailure, NoData, NoSuchName
from reference.transport.patience import Busy, Patience
from reference.transport.rpop_client import PopClient, PopSession, SessionFailed
from reference.transport.rpop_mail import Distribution, Overlong, Retrieved

#: Seconds until a host that does not take a connection has failed.
CONNECT_TIME = 60.0
#: Writes a log record: level, text.
Note = Callable[[int, str], None]
_FAILURE, _MAJOR, _PROBLEM, _LOW_LEVEL, _ALL_INFO = 1, 2, 3, 4, 5


class HostFailed(Exception):  # noqa: N818 - it is what happened
    """There is no connection with the host; ``str()`` says why."""


class OwnHost(Exception):  # noqa: N818 - a decision
    """The host is this server itself, and may not be polled."""


class Network(Protocol):
    """The server's network, as the module sees it."""

    @property
    def addresses(self) -> Sequence[str]:
        """The server computer's own IP addresses."""

    def connect(
        self, factory: Any, host: str, port: int, *, source: str | None, timeout: float
    ) -> Deferred[IProtocol]:
        """Connect to a documented port of an IP address."""


class Resolver(Protocol):
    """The DNR, as the module sees it."""

    async def a(self, name: str) -> list[str]:
        """Return IP addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polls:
    """What polling needs of the server; ``host`` gives the Main Domain's name."""

    network: Network
    dnr: Resolver
    patience: Patience
    clock: Clock
    settings: Settings
    queue: Queue
    threads: Threads
    scanner: Callable[[], Scanner | None]
    host: Callable[[], str]

    async def poll(
        self, distribution: Distribution, memory: UidMemory, busy: Busy, note: Note
    ) -> int:
        """Poll an account; return how many messages were retrieved.

        Raises HostFailed, OwnHost, and SessionFailed when the account has failed.
        """
        account = distribution.account
        session, ip = await self._connect(account, busy, note)
        try:
            await session.greeting()
            apop = account.apop and self.settings.get("RPOP", "UseAPOP")
            await session.login(account.name, account.password, apop=apop)
            count = await session.count()
            return await self._retrieve(session, distribution, memory, _Course(count, ip, note))
        except (QueueError, StorageError, Overlong) as error:
            raise SessionFailed(str(error)) from error
        finally:
            session.abort()

    async def _connect(
        self, account: RemoteAccount, busy: Busy, note: Note
    ) -> tuple[PopSession, str]:
        trouble = f"no address of {account.host} was found"
        for ip in await self._addresses(account.host, busy):
            if ip in self.network.addresses and not self.settings.get("RPOP", "SelfPoll"):
                raise OwnHost(f"{account.host} [{ip}] is this server itself")
            client = PopClient(lambda line: note(_ALL_INFO, line))
            factory = Factory.forProtocol(partial(_same, client))
            connecting = self.network.connect(
                factory, ip, account.port, source=None, timeout=CONNECT_TIME
            )
            wait = f"pop:{ip}:{account.port}"
            try:
                await busy.aside(self.patience.within(math.inf, wait, connecting))
            except (ConnectError, ConnectingCancelledError, OSError) as error:
                trouble = f"{account.host} [{ip}]: {error}"
                continue
            note(_LOW_LEVEL, f"connected to {account.host} [{ip}]:{account.port}")
            session = PopSession(client=client, patience=self.patience, busy=busy, wait=wait)
            return session, ip
        raise HostFailed(trouble)

    async def _addresses(self, host: str, busy: Busy) -> Sequence[str]:
        parts = host.split(",")
        if all(part.replace(".", "").isdigit() for part in parts):
            return parts
        try:
            return await busy.aside(self.dnr.a(host))
        except (DNSFailure, NoData, NoSuchName) as error:
            raise HostFailed(str(error)) from error

    async def _retrieve(
        self, session: PopSession, distribution: Distribution, memory: UidMemory, course: _Course
    ) -> int:
        leave = distribution.account.leave
        uids = await session.uids() if course.count else {}
        if leave and uids is None:
            raise SessionFailed("messages cannot be left there: the host does not know UIDL")
        known = await self.threads.run(memory.read)
        retrieved = 0
        for index in range(course.count):
            uid = (uids or {}).get(index, "")
            if not uid or uid not in known:
                await self._message(session, distribution, index, course)
                retrieved += 1
                if uid:
                    await self.threads.run(partial(memory.add, uid))
            if not leave:
                await session.delete(index)
        await session.quit()
        still_there = (uids or {}).values() if leave else ()
        await self.threads.run(lambda: memory.keep(still_there))
        return retrieved

    async def _message(
        self, session: PopSession, distribution: Distribution, index: int, course: _Course
    ) -> None:
        message = Retrieved(
            distribution=distribution,
            ip=course.ip,
            queue=self.queue,
            scanner=self.scanner(),
            host=self.host(),
            now=self.clock.time(),
        )
        try:
            await session.retrieve(index, message.line)
            name = await message.finish()
        finally:
            message.abort()
        if name:
            course.note(_MAJOR, f"message {index + 1} retrieved as [{name}]")
        else:
            course.note(_PROBLEM, f"message {index + 1} is rejected: it has a banned line")


@dataclass(frozen=True, slots=True)
class _Course:
    """A session under way."""

    count: int
    """How many messages the mailbox has."""
    ip: str
    note: Note


def _same(client: PopClient) -> PopClient:
    return client
