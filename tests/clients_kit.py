"""A server as it stands, for client programs that others have written, and what runs those.

The server is a process of its own on real sockets, with its own certificate and a real clock. Each
test takes accounts of its own, so that they may share one server.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from hardy.places import OFFSET, Place
from hardy.plain import BOUND, Started
from hardy.victim import Client

SERVER = [sys.executable, "-m", "reference"]
PASSWORD = "open sesame 42"


@dataclass(frozen=True)
class Ran:
    """A program that has ended."""

    status: int
    said: str
    """Standard output and error."""


def program(name: str) -> str:
    """Return the path of a program; skip the test where Debian's package of its name is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: install Debian's package {name}")
    return found


class MailServer:
    """A running server of one Main Domain; end it with :meth:`close`."""

    def __init__(self, folder: Path, domain: str, *commands: str) -> None:
        """``commands`` are CLI commands that configure it further."""
        self.domain = domain
        self.base = folder / "base"
        self.place = Place()
        self.address = self.place.server
        self._numbers = itertools.count(1)
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        issued = authority.issue_cert(self.address, common_name=self.address)
        pem = folder / "server.pem"
        issued.private_key_and_cert_chain_pem.write_to_path(str(pem))
        self.process = Started(
            SERVER,
            base=self.base,
            place=self.place,
            folder=folder,
            before=["--certificate", str(pem)],
        )
        self._control = self.process.control.makefile("rb")
        self.cli(
            f"UpdateServerSettings {{DomainName={domain};}}",
            f"UpdateDomainSettings {domain} {{CertificateType=Server;}}",
            *commands,
        )

    def close(self) -> None:
        """End the server, which must end in order and without a complaint."""
        try:
            assert self.process.end_by(signal.SIGTERM) == 0
            assert not self.process.output()
        finally:
            self._control.close()
            self.process.__exit__(None, None, None)
            self.place.close()

    def port(self, documented: int) -> int:
        """Return the port that a documented one has become."""
        return documented + OFFSET

    def at(self, documented: int) -> str:
        """Return address and port as most programs write them."""
        return f"{self.address}:{self.port(documented)}"

    def account(self) -> str:
        """Make an account with :data:`PASSWORD`; return its name."""
        name = f"user{next(self._numbers)}"
        self.cli(f'CreateAccount {name} {{Password="{PASSWORD}";}}')
        return name

    def mail(self, name: str) -> str:
        """Return an account's mail address."""
        return f"{name}@{self.domain}"

    def cli(self, *commands: str) -> None:
        """Give CLI commands as postmaster; each must succeed."""
        settings = (self.base / "Accounts/postmaster.macnt/account.settings").read_text()
        password = settings.partition("Password = ")[2].partition(";")[0].strip('"')
        with Client(self.address, 106) as client:
            for line in ("USER postmaster", f"PASS {password}", *commands):
                client.send(line.encode() + b"\r\n")
            assert client.line()[:3] == b"200"
            for line in ("USER", "PASS", *commands):
                reply = client.line()
                assert reply[:1] in (b"2", b"3"), f"{line}: {reply!r}"

    def rest(self) -> None:
        """Wait until the server has nothing to do and waits for nobody."""
        while True:
            self.process.control.sendall(b'{"op": "quiet", "id": 1}\n')
            while (said := json.loads(self._control.readline())).get("id") != 1:
                pass  # what it says of its own accord
            if not said["waits"]:
                return

    def letters(self, name: str) -> list[bytes]:
        """Return the messages in an account's INBOX, once the server is at rest."""
        self.rest()
        with Client(self.address, 110) as client:
            client.send(f"USER {name}\r\nPASS {PASSWORD}\r\nSTAT\r\n".encode())
            lines = [client.line() for _ in range(4)]
            found = []
            for number in range(1, int(lines[-1].split()[1]) + 1):
                client.send(b"RETR %d\r\n" % number)
                assert client.line().startswith(b"+OK")
                text = []
                while (line := client.line()) != b".":
                    text.append(line.removeprefix(b".") + b"\r\n")
                found.append(b"".join(text))
            client.send(b"QUIT\r\n")
            assert client.line().startswith(b"+OK")
        return found

    def queued(self) -> list[str]:
        """Return the names of the messages in the Queue directory."""
        return sorted(path.name for path in (self.base / "Queue").glob("*.msg"))

    def log(self) -> list[str]:
        """Return the lines of the System Log."""
        texts = (path.read_text("utf-8", "replace") for path in self.base.glob("SystemLogs/*"))
        return [line for text in texts for line in text.splitlines()]


def run(command: Sequence[str], *, home: Path, text: bytes = b"") -> Ran:
    """Run a program to its end with a home of its own; ``text`` is its standard input."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C"}
    done = subprocess.run(
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=home,
        env=environment,
        timeout=BOUND,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"))


def body_of(message: bytes) -> bytes:
    """Return a message's body."""
    return message.partition(b"\r\n\r\n")[2]
