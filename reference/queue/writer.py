"""The process that writes the queue's files under load.

All threads of the server take turns at running Python, and whoever makes a system call may lose its
turn. To make a message durable takes half a dozen of them: in a crowd the turns cost more than the
work. So when as many as :data:`CROWD` changes come together, a process is begun that does the
rounds from then on; the server sends it one batch, and gets one answer, for each. Until it is
there, and after it should have died, a thread does them.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from reference.kernel.eager import write_now
from reference.queue import changes as program
from reference.queue.changes import Change, packed
from reference.queue.directory import Log

#: Changes of one round from which on a process is worth its start.
CROWD = 8
FAILURE, LOW_LEVEL = 1, 4


class Writer:
    """The process, from the server's side; used from the reactor's thread only."""

    def __init__(self, *, reactor: Any, folder: str, log: Log) -> None:
        self._reactor = reactor
        self._folder = folder
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._link: _Link | None = None
        self._over = False

    @property
    def pid(self) -> int | None:
        """The process, once it is begun."""
        return None if self._process is None else self._process.pid

    def takes(self, count: int) -> bool:
        """Tell whether the process does a round of so many changes; begin it in a crowd."""
        if self._over:
            return False
        if self._link is None:
            if count >= CROWD:
                self._begin()
            return False
        return self._link.ready

    def perform(self, changes: Sequence[Change]) -> Deferred[list[OSError | None]]:
        """Have a round done; the Deferred fails with ConnectionError when the process dies."""
        assert self._link is not None
        return self._link.ask(changes)

    def stop(self) -> Deferred[None]:
        """Let the process end when it has done what it has; fires when it has ended."""
        self._over = True
        if self._link is None:
            return succeed(None)
        return self._link.end()

    def _begin(self) -> None:
        ours, its = socket.socketpair()
        with ours, its:
            try:
                self._process = subprocess.Popen(
                    (sys.executable, "-IS", program.__file__, self._folder, str(its.fileno())),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(its.fileno(),),
                )
            except OSError as error:
                self._over = True
                self._log.write(FAILURE, "QUEUE", f"no writing process: {error.strerror}")
                return
            self._log.write(LOW_LEVEL, "QUEUE", f"writing process {self._process.pid} begun")
            ours.setblocking(False)
            link = self._link = _Link(self._lost)
            # The reactor takes a descriptor of its own.
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, _Only(link))

    def _lost(self) -> None:
        assert self._process is not None
        code = self._process.wait()
        if not self._over:
            self._over = True
            text = f"the writing process has ended ({code}); a thread does its work"
            self._log.write(FAILURE, "QUEUE", text)


class _Only(Factory):
    """Gives the one connection its protocol."""

    noisy = False

    def __init__(self, link: _Link) -> None:
        self._link = link

    def buildProtocol(self, addr: IAddress | None) -> Int32StringReceiver:
        """Give it; called by Twisted."""
        return self._link


class _Link(Int32StringReceiver):
    """The socket to the process. Answers come in the order of the batches."""

    MAX_LENGTH = 1 << 30
    transport: Any

    def __init__(self, lost: Callable[[], None]) -> None:
        """``lost`` is called when the process is gone, before those who wait hear of it."""
        self.ready = False
        """The process has said that it is there."""
        self._lost = lost
        self._asked: deque[Deferred[list[OSError | None]]] = deque()
        self._gone = False
        self._ended: Deferred[None] | None = None

    def ask(self, changes: Sequence[Change]) -> Deferred[list[OSError | None]]:
        """Send a batch; the Deferred has its answer."""
        answer: Deferred[list[OSError | None]] = Deferred()
        self._asked.append(answer)
        write_now(self.transport, packed([tuple(change) for change in changes]))
        return answer

    def end(self) -> Deferred[None]:
        """Send no more; fires when the process has answered everything and is gone."""
        ended: Deferred[None] = Deferred()
        if self._gone:
            ended.callback(None)
        else:
            self._ended = ended
            self.transport.loseWriteConnection()
        return ended

    def stringReceived(self, octets: bytes) -> None:
        """Take the greeting or an answer; called by Twisted."""
        errors = pickle.loads(octets)
        if not self.ready:
            self.ready = True
            return
        self._asked.popleft().callback([error and OSError(*error) for error in errors])

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Tell everybody who waits; called by Twisted."""
        self.ready = False
        self._gone = True
        self._lost()
        asked, self._asked = self._asked, deque()
        for answer in asked:
            answer.errback(ConnectionError("the writing process has ended"))
        if self._ended is not None:
            self._ended.callback(None)
