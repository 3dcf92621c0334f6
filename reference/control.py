"""The control socket: how a harness learns that the server is at rest, and moves its clock.

It exists only when ``--control PATH`` names a Unix socket on the command line; the server connects
to it as soon as it accepts mail. Lines of JSON go both ways:

- ``{"event": "ready", "pid": N}``, once;
- ``{"event": "quiet", "serial": N, "waits": [...]}`` when no task is left and the waits changed;
- ``{"op": "state", "id": N}`` → ``{"id": N, "tasks": n, "waits": [...]}``;
- ``{"op": "quiet", "id": N}`` → ``{"id": N, "waits": [...], "next_timer": seconds or null}`` as
  soon as no task is left;
- ``{"op": "advance", "id": N, "seconds": s, "held": [...]}`` → ``{"id": N, "waits": [...]}``: the
  timers that are due in that span fire in their order, and the server comes to rest between them. A
  wait that is not among the held ones stops the clock until it is over, or until
  ``{"op": "held", "waits": [...]}`` says that the world keeps it;
- ``{"op": "jump", "id": N, "seconds": s}`` → ``{"id": N}``: the wall clock is set forward, or back;
  timers fall due as if it had not been;
- ``{"op": "stop"}``: end in an orderly way.

What a wait is called, see :mod:`reference.kernel.work`. An unknown or broken line is answered with
``{"error": text}``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.protocols.basic import LineReceiver

from reference.kernel.clocks import HeldClock
from reference.kernel.work import Work

#: Turns of the event loop without a task before the server counts as quiet: what has arrived at a
#: socket is read in the first, and what that sets going shows in the second.
_QUIET_TURNS = 2


class ControlLink(LineReceiver):
    """The server's end of the control socket."""

    delimiter = b"\n"

    def __init__(
        self,
        *,
        reactor: Any,
        work: Work,
        clock: HeldClock | None,
        stop: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._work = work
        self._clock = clock
        self._stop = stop
        self._serial = 0
        self._announced: list[str] | None = None
        self._checking = False
        self._quiet_asked: list[int] = []
        self._advance: tuple[int, float] | None = None  # (request, seconds left)
        self._held: frozenset[str] = frozenset()

    def connectionMade(self) -> None:
        """Say that the server is ready."""
        self._say(event="ready", pid=os.getpid())
        self._work.on_quiet = self._look
        self._look()

    def connectionLost(self, reason: object = None) -> None:
        """End the server when the harness is gone."""
        self._work.on_quiet = None
        self._stop()

    def lineReceived(self, line: bytes) -> None:
        """Take one request."""
        try:
            request = json.loads(line)
            operation = {
                "state": self._op_state,
                "quiet": self._op_quiet,
                "advance": self._op_advance,
                "held": self._op_held,
                "jump": self._op_jump,
                "stop": self._op_stop,
            }[request["op"]]
            operation(request)
        except (ValueError, KeyError, TypeError) as error:
            self._say(error=f"not a control request: {line!r} ({error!r})")

    def _say(self, **message: Any) -> None:
        self.sendLine(json.dumps(message).encode())  # type: ignore[no-untyped-call]

    def _waits(self) -> list[str]:
        return sorted(self._work.waits.elements())

    def _op_state(self, request: dict[str, Any]) -> None:
        self._say(id=request["id"], tasks=self._work.tasks, waits=self._waits())

    def _op_quiet(self, request: dict[str, Any]) -> None:
        self._quiet_asked.append(request["id"])
        self._look()

    def _op_advance(self, request: dict[str, Any]) -> None:
        if self._clock is None:
            self._say(id=request["id"], error="the clock is not held (start with --hold-clock)")
        elif self._advance is not None:
            self._say(id=request["id"], error="the clock is being moved already")
        else:
            self._held = _names(request.get("held", ()))
            self._advance = (request["id"], float(request["seconds"]))
            self._look()

    def _op_held(self, request: dict[str, Any]) -> None:
        self._held = _names(request["waits"])
        self._look()

    def _op_jump(self, request: dict[str, Any]) -> None:
        if self._clock is None:
            self._say(id=request["id"], error="the clock is not held (start with --hold-clock)")
        else:
            self._clock.jump(float(request["seconds"]))
            self._say(id=request["id"])

    def _op_stop(self, request: dict[str, Any]) -> None:
        self._stop()

    def _look(self) -> None:
        """Begin to look whether the server is quiet."""
        if not self._checking:
            self._checking = True
            self._reactor.callLater(0, self._confirm, _QUIET_TURNS)

    def _confirm(self, turns: int) -> None:
        if self._work.tasks:
            self._checking = False  # the end of the last task starts the next look
        elif turns > 1:
            self._reactor.callLater(0, self._confirm, turns - 1)
        else:
            self._checking = False
            self._quiet()

    def _quiet(self) -> None:
        waits = self._waits()
        if self._advance is not None and self._held.issuperset(waits):
            self._move()
            return
        if waits != self._announced:
            self._announced = waits
            self._serial += 1
            self._say(event="quiet", serial=self._serial, waits=waits)
        if self._advance is None:
            asked, self._quiet_asked = self._quiet_asked, []
            due = self._clock.next_due() if self._clock else None
            for request in asked:
                self._say(id=request, waits=waits, next_timer=due)

    def _move(self) -> None:
        """Fire the next timer of the advance under way, or end it."""
        clock, (request, left) = self._clock, self._advance or (0, 0.0)
        if clock is None:
            return
        due = clock.next_due()
        if due is not None and due <= left:
            self._advance = (request, left - due)
            clock.fire_next()
            self._look()
        elif left > 0:
            clock.skip(left)
            self._advance = (request, 0.0)
            self._look()
        else:
            self._advance = None
            self._say(id=request, waits=self._waits())
            self._look()


def _names(waits: Iterable[str]) -> frozenset[str]:
    return frozenset(str(name) for name in waits)


def connect_control(
    path: str,
    *,
    reactor: Any,
    work: Work,
    clock: HeldClock | None,
    stop: Callable[[], object],
    failed: Callable[[str], object],
) -> None:
    """Connect to the harness's socket ``path``; the server ends when the connection does.

    ``failed`` is told why when there is no connection at all.
    """
    link = ControlLink(reactor=reactor, work=work, clock=clock, stop=stop)
    connecting = connectProtocol(UNIXClientEndpoint(reactor, path, timeout=30), link)
    connecting.addErrback(lambda failure: failed(failure.getErrorMessage()))
