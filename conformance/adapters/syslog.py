"""What the programs of a session log: the harness's end of their /dev/log.

A datagram socket in the session's folder (``log``), read on the event loop. A program blocks while
the socket is full, so nothing is lost, and lines of different programs come in the order in which
they were said. The priority and the time are taken off: a line is ``program[pid]: text``.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path

from conformance.targets.base import TargetError

_HEAD = re.compile(r"(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?")
_OCTETS = 65536
_BUFFER = 1 << 20


class Syslog:
    """The log of one session."""

    def __init__(self, path: Path, heard: Callable[[str], None]) -> None:
        """Begin to listen at ``path``; ``heard(line)`` is called for each line.

        Raises TargetError when the path is too long for a socket.
        """
        self.lines: list[str] = []
        self._heard = heard
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        try:
            self._socket.bind(str(path))
        except OSError as error:
            self._socket.close()
            raise TargetError(f"the log socket {path} cannot be had: {error}") from None
        path.chmod(0o666)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self.read)

    def read(self) -> None:
        """Take what has been said so far."""
        while self._socket.fileno() >= 0:
            try:
                datagram = self._socket.recv(_OCTETS)
            except BlockingIOError:
                return
            text = datagram.decode("utf-8", "backslashreplace").rstrip("\n\0")
            line = text[match.end() :] if (match := _HEAD.match(text)) else text
            self.lines.append(line)
            self._heard(line)

    def close(self) -> None:
        """Stop listening."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
