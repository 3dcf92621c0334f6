"""The ``mailproof-server`` command: read the options, take a reactor, run until told to stop."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from reference.app import StartError, make_server
from reference.options import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a server; return the exit status: 0 after an orderly end, 1 when it cannot start."""
    options = parse(arguments)
    allow_open_files()
    # The reactor is imported here and nowhere else: the warm process forks before it exists.
    from twisted.internet import reactor as installed

    # Twisted's interfaces declare methods without self, which a type checker cannot call.
    reactor: Any = installed
    steady(reactor)

    try:
        server = make_server(options, reactor=reactor)
    except StartError as error:
        return complain(error)

    def begin() -> None:
        # The reactor's own handlers complain when a signal comes while the server ends already.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: reactor.callFromThread(server.end))
        try:
            server.start()
        except StartError as error:
            server.trouble = error
            server.end()

    reactor.callWhenRunning(begin)
    reactor.addSystemEventTrigger("before", "shutdown", server.stop)
    reactor.run()
    return complain(server.trouble) if server.trouble is not None else 0


def steady(reactor: Any) -> None:
    """Let a reactor's timers follow a clock that nobody sets; Twisted's follow that on the wall.

    Else no timer would fall due for an hour when an administrator sets the clock back by an hour.
    """
    reactor.seconds = time.monotonic


def allow_open_files() -> None:
    """Let the process open as many files as it may at all: every connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def complain(error: StartError) -> int:
    """Say why a server cannot start; return the exit status."""
    print(f"mailproof-server: {error}", file=sys.stderr)
    return 1
