"""What the server is busy with: the theory of rest.

The server *is at rest* when nothing will change without a client, a remote host or the clock.
Everything that the server does of its own accord holds a token of :class:`Work` while it lasts:

- a *task* (routing a message, an fsync, a delivery, a retry that is due) is work that will end by
  itself;
- a *wait* is work that hangs on somebody outside: an SMTP session that awaits a remote host's reply
  (``smtp:11.22.33.44:25``), a DNS question without an answer yet (``dns:MX company.com``).

A message that lies in a queue until a timer fires holds no token. An incoming session holds a task
only while it works on a command that it has read (so a 250 after DATA is not sent before the
token of the message's enqueueing is taken).

The control socket tells a harness each time the set of waits changes while no task is left; the
harness knows which remote hosts it makes silent on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Token:
    """One piece of work under way; ``done()`` is called exactly once (again is harmless)."""

    __slots__ = ("_name", "_wait", "_work")

    def __init__(self, work: Work, name: str, wait: bool) -> None:
        self._work: Work | None = work
        self._name = name
        self._wait = wait

    def done(self) -> None:
        """End this piece of work."""
        work, self._work = self._work, None
        if work is not None:
            work._end(self._name, self._wait)


class Work:
    """The tasks and waits under way."""

    def __init__(self) -> None:
        self.tasks = 0
        self.waits: Counter[str] = Counter()
        #: Called after every change of ``tasks`` to zero and of ``waits`` while ``tasks`` is zero.
        self.on_quiet: Callable[[], None] | None = None

    def task(self, name: str = "") -> Token:
        """Begin a task, that is, work that ends by itself."""
        self.tasks += 1
        return Token(self, name, wait=False)

    def wait(self, name: str) -> Token:
        """Begin a wait for somebody outside, named as in ``smtp:11.22.33.44:25``."""
        self.waits[name] += 1
        if not self.tasks:
            self._quiet()
        return Token(self, name, wait=True)

    @contextmanager
    def doing(self, name: str = "") -> Iterator[None]:
        """Hold a task for the length of a ``with`` block."""
        token = self.task(name)
        try:
            yield
        finally:
            token.done()

    def _end(self, name: str, wait: bool) -> None:
        if wait:
            self.waits[name] -= 1
            if not self.waits[name]:
                del self.waits[name]
        else:
            self.tasks -= 1
        if not self.tasks:
            self._quiet()

    def _quiet(self) -> None:
        if self.on_quiet is not None:
            self.on_quiet()
