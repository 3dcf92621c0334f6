"""ETRN, ATRN and TURN: which queue, and which reply."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reference.kernel.clocks import HeldClock
from reference.kernel.work import Work
from reference.protocols.smtp_grammar import Fault
from reference.protocols.smtp_turn import Turning
from reference.transport.smtp_session import Session

QUEUES = {"domain.dom": "domain.dom", "client.com": "mail.client.com", "free.dom": "free.dom"}


class Sender:
    """Queues of three hosts, two of them on hold, one without mail."""

    def __init__(self) -> None:
        self.released: list[str] = []
        self.waiting = {"domain.dom", "mail.client.com", "free.dom"}

    def release(self, host: str, /) -> bool:
        self.released.append(host)
        return host in self.waiting

    def queues_for(self, host: str, /) -> list[Any]:
        return [SimpleNamespace(transfers=[1])] if host in self.waiting else []

    def is_held(self, host: str, /) -> bool:
        return host.lower() in {"domain.dom", "mail.client.com"}

    async def send_over(self, host: str, session: Session, /) -> None:
        raise AssertionError("nothing is sent here")


def turning(sender: Sender) -> Turning:
    return Turning(
        sender=sender,
        queue_of=lambda name: QUEUES.get(name.lower(), ""),
        clock=HeldClock(),
        work=Work(),
        log=SimpleNamespace(write=lambda *_: None),
        helo=lambda: "company.com",
    )


@pytest.mark.parametrize(
    ("argument", "queue"),
    [
        ("domain.dom", "domain.dom"),
        ("DOMAIN.dom", "domain.dom"),
        ("@domain.dom", "domain.dom"),
        ("#client.com", "mail.client.com"),
    ],
)
def test_etrn_releases_the_queue_that_the_name_is_routed_to(argument: str, queue: str) -> None:
    sender = Sender()
    assert turning(sender).start_queue(argument)[0] == 250
    assert sender.released == [queue]


def test_etrn_says_when_nothing_waits() -> None:
    sender = Sender()
    sender.waiting.clear()
    assert turning(sender).start_queue("domain.dom")[0] == 251


@pytest.mark.parametrize(
    ("argument", "code"),
    [("company.com", 459), ("", 501), ("a.b c.d", 501), ("a.b,c.d", 501), ("@", 501)],
)
def test_etrn_is_refused_and_releases_nothing(argument: str, code: int) -> None:
    sender = Sender()
    with pytest.raises(Fault) as caught:
        turning(sender).start_queue(argument)
    assert caught.value.code == code
    assert sender.released == []


@pytest.mark.parametrize(
    ("argument", "account", "queue"),
    [
        ("domain.dom", "domain.dom", "domain.dom"),
        ("Domain.Dom", "domain.dom", "domain.dom"),
        ("", "domain.dom", "domain.dom"),
        ("client.com", "client.com", "mail.client.com"),
    ],
)
def test_atrn_gives_the_queue_of_the_user(argument: str, account: str, queue: str) -> None:
    assert turning(Sender()).queue_for_turn(argument, account) == queue


@pytest.mark.parametrize(
    ("argument", "account", "code"),
    [
        ("domain.dom", "client.com", 450),
        ("domain.dom", "", 450),
        ("", "", 450),
        ("domain.dom,client.com", "domain.dom", 501),
        ("domain.dom client.com", "domain.dom", 501),
        ("free.dom", "free.dom", 450),
        ("other.dom", "other.dom", 450),
    ],
)
def test_atrn_is_refused(argument: str, account: str, code: int) -> None:
    with pytest.raises(Fault) as caught:
        turning(Sender()).queue_for_turn(argument, account)
    assert caught.value.code == code


def test_atrn_without_mail() -> None:
    sender = Sender()
    sender.waiting.clear()
    with pytest.raises(Fault) as caught:
        turning(sender).queue_for_turn("", "domain.dom")
    assert caught.value.code == 453
