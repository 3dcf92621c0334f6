"""A server that is ill-treated: one process, watched from outside, with plain blocking sockets.

Its clock is held, so nothing times out unless a test says so.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hardy.places import OFFSET, Place
from hardy.restarts import DOMAIN, is_complaint
from hardy.warm import ROOT

#: Seconds in which a server must answer anybody, whatever others do to it.
BOUND = 30.0
#: The services, their documented ports, and what their greetings begin with.
SERVICES = {"SMTP": 25, "POP": 110, "IMAP": 143, "PWD": 106}
GREETINGS = {"SMTP": b"220 ", "POP": b"+OK ", "IMAP": b"* OK ", "PWD": b"200 "}
#: What a client says to be sure that it is served.
_NOOPS = {
    "SMTP": (b"NOOP\r\n", b"250 "),
    "POP": (b"CAPA\r\n", b"+OK"),
    "IMAP": (b"t NOOP\r\n", b"t OK"),
    "PWD": (b"NOOP\r\n", b"200 "),
}
_LOG_LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} [0-5] [^\s]+ .*")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Victim:
    """The server process; end it with :meth:`stop`."""

    def __init__(self, folder: Path, accounts: Sequence[str], flags: Sequence[str] = ()) -> None:
        """``flags`` are for the interpreter."""
        self.base = folder / "base"
        self.place = Place()
        self._errors = folder / "errors"
        self._number = 0
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "control"))
        listener.listen()
        listener.settimeout(BOUND)
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, *flags, "-m", "reference", "--base", str(self.base)),
                    *(*self.place.options(), "--control", str(folder / "control"), "--hold-clock"),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        control, _ = listener.accept()
        listener.close()
        control.settimeout(BOUND)
        self._control = control.makefile("rwb")
        control.close()
        self._await("event", "ready")
        self._configure(accounts)

    def stop(self) -> int:
        """End the server by SIGTERM; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(BOUND)
        finally:
            self.process.kill()
            self.process.wait()
            self._control.close()
            self.place.close()

    # The control socket --------------------------------------------------------------------------

    def rest(self) -> None:
        """Wait until the server has nothing to do and waits for nobody."""
        while self.ask(op="quiet")["waits"]:
            pass  # each answer comes at a rest of the server: it is not asked in vain

    def advance(self, seconds: float) -> None:
        """Move the server's clock."""
        self.ask(op="advance", seconds=seconds, held=[])

    def ask(self, **request: Any) -> dict[str, Any]:
        """Make a request over the control socket; return the answer."""
        self._number += 1
        self._control.write(json.dumps({"id": self._number, **request}).encode() + b"\n")
        self._control.flush()
        return self._await("id", self._number)

    def _await(self, key: str, value: object) -> dict[str, Any]:
        while line := self._control.readline():
            message: dict[str, Any] = json.loads(line)
            if message.get(key) == value:
                return message
        raise AssertionError(f"the server has ended: {self.errors()}")

    # What it looks like from outside -------------------------------------------------------------

    def descriptors(self) -> int:
        """Return how many files and sockets the process has open.

        Not counted are those to processes that it has begun: one writes its queue's files once
        there was a crowd.
        """
        pid = self.process.pid
        begun = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return len(list(Path(f"/proc/{pid}/fd").iterdir())) - len(begun)

    def memory(self) -> int:
        """Return the octets of memory that the process has."""
        words = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(words[1]) * _PAGE

    def queued(self) -> list[str]:
        """Return the names of the files in the Queue directory."""
        return sorted(path.name for path in (self.base / "Queue").iterdir())

    def errors(self) -> str:
        """Return what the process has written to its standard output and error."""
        return self._errors.read_text("utf-8", "replace")

    def complaints(self) -> list[str]:
        """Return what should stand in no log, and what is no log line at all."""
        texts = (path.read_text("utf-8", "replace") for path in self.base.glob("SystemLogs/*"))
        lines = [line for text in texts for line in text.split("\n") if line]
        return [line for line in lines if is_complaint(line) or not _LOG_LINE.fullmatch(line)]

    # Clients -------------------------------------------------------------------------------------

    def connect(self, service: str) -> Client:
        """Connect to a service and read its greeting."""
        client = Client(self.place.server, SERVICES[service])
        assert client.line().startswith(GREETINGS[service])
        return client

    def serves(self) -> None:
        """Be a well-behaved client of each service."""
        for service, (said, reply) in _NOOPS.items():
            with self.connect(service) as client:
                client.send(said)
                assert client.line().startswith(reply)

    def mail(self, box: str) -> list[bytes]:
        """Return the messages of an account, and empty it."""
        with self.connect("POP") as client:
            client.send(b"USER %b\r\nPASS secret\r\nSTAT\r\n" % box.encode())
            count = [client.line() for _ in range(3)][-1].split()[1]
            found = []
            for number in range(1, int(count) + 1):
                client.send(b"RETR %d\r\nDELE %d\r\n" % (number, number))
                assert client.line().startswith(b"+OK")
                lines = []
                while (line := client.line()) != b".":
                    lines.append(line.removeprefix(b".") + b"\r\n")
                assert client.line().startswith(b"+OK")
                found.append(b"".join(lines))
            client.send(b"QUIT\r\n")
            assert client.line().startswith(b"+OK")
        return found

    def _configure(self, accounts: Iterable[str]) -> None:
        settings = (self.base / "Accounts/postmaster.macnt/account.settings").read_text()
        password = settings.partition("Password = ")[2].partition(";")[0].strip('"')
        with self.connect("PWD") as client:
            commands = [
                "USER postmaster",
                f"PASS {password}",
                f"UpdateServerSettings {{DomainName={DOMAIN};}}",
                *(f"CreateAccount {name} {{Password=secret;}}" for name in accounts),
            ]
            for command in commands:
                client.send(command.encode() + b"\r\n")
                assert client.line()[:1] in b"23", command


class Client:
    """A connection with a bound on everything that it waits for."""

    def __init__(self, address: str, port: int) -> None:
        self.socket = socket.create_connection((address, port + OFFSET), timeout=BOUND)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, octets: bytes) -> None:
        """Send octets; harmless when the server has closed the connection."""
        try:
            self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            return

    def line(self) -> bytes:
        """Read a line without its end; empty at the end of the connection."""
        try:
            return self._reader.readline().rstrip(b"\r\n")
        except ConnectionResetError:
            return b""

    def rest(self) -> bytes:
        """Read all that comes until the server closes the connection."""
        try:
            return self._reader.read()
        except ConnectionResetError:
            return b""

    def finish(self) -> bytes:
        """Send no more; return all that comes until the server closes the connection."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return b""
        return self.rest()

    def reset(self) -> None:
        """Break the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()
        self.socket.close()
