"""A program that serves SMTP, POP3 and IMAP with STARTTLS; run by test_smtp_receive_tls.py.

Arguments: a folder to work in, a PEM file. Prints the three ports; ends with its standard input,
printing how many sessions are left, what the receiver took, and the faults.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from reception_world import ImapWorld, SMTPWorld
from twisted.internet import reactor as installed
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO

from reference.kernel.clocks import ReactorClock
from reference.protocols.imap import IMAPSession
from reference.protocols.line import SessionFactory
from reference.protocols.pop import POPSession
from reference.protocols.smtp_receive import SMTPSession
from reference.protocols.tls import Material, SecureSide

reactor: Any = installed
folder = Path(sys.argv[1])
pem = Path(sys.argv[2]).read_text()
tls = SecureSide(
    Material(pem, pem),
    clock=ReactorClock(reactor),
    life=lambda: 600.0,
    note=lambda *_: None,
)
smtp = SMTPWorld(folder / "smtp", tls=tls)
boxes = ImapWorld(folder / "boxes", tls=tls)
boxes.store(b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 20_000)

factories = [
    SessionFactory(build=build, channels=lambda: 1, refusal=b"421 later\r\n")
    for build in (
        lambda: SMTPSession(reception=smtp.reception, number=1),
        lambda: POPSession(office=boxes.office, number=1),
        lambda: IMAPSession(office=boxes.imap_office, number=1),
    )
]


class UntilTheEnd(Protocol):
    """Stops the program with its standard input."""

    def connectionLost(self, reason: object = None) -> None:
        reactor.callLater(0, reactor.stop)


ports = [reactor.listenTCP(0, factory, interface="127.0.0.1") for factory in factories]
print(json.dumps([port.getHost().port for port in ports]), flush=True)
StandardIO(UntilTheEnd())
reactor.run()
left = {
    "open": sum(len(factory.open) for factory in factories),
    "octets": sum(len(draft.body) for draft in smtp.queue.committed),
    "faults": smtp.log.faults + boxes.log.faults,
}
sys.__stdout__.write(json.dumps(left) + "\n")
