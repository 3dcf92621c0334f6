"""Looking into mailboxes over IMAP, sizes of messages, and settings that change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.run.judge_mail import content
from conformance.scenario.steps import MailStep
from conformance.targets.base import TargetError
from conformance.targets.configure import changes
from conformance.targets.labels import Keywords
from conformance.world.clients.imap import messages_of, quoted
from conformance.world.clients.line import Reply, dot_stuffed


def fetch(*messages: bytes) -> Reply:
    raw = b""
    for number, message in enumerate(messages, 1):
        raw += b"* %d FETCH (BODY[] {%d}\r\n%b)\r\n" % (number, len(message), message)
    return Reply("a3 OK", "done", (), raw + b"* 9 EXISTS\r\na3 OK done\r\n")


def test_messages_of_a_fetch() -> None:
    tricky = b"Subject: x\r\n\r\n* 7 FETCH (BODY[] {5}\r\nabcde)\r\n"
    assert messages_of(fetch(b"one\r\n", tricky, b"")) == [b"one\r\n", tricky, b""]
    assert messages_of(Reply("a3 OK", "", (), b"a3 OK\r\n")) == []


def test_messages_come_in_the_order_of_their_numbers() -> None:
    raw = b"* 2 FETCH (BODY[] {1}\r\nb)\r\n* 1 FETCH (FLAGS () BODY[] {1}\r\na)\r\n"
    assert messages_of(Reply("a3 OK", "", (), raw)) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("box", '"box"'), ('a"b\\', '"a\\"b\\\\"'), ("Entwürfe", '"Entw&APw-rfe"'), ("a&b", '"a&-b"')],
)
def test_names_as_imap_strings(name: str, text: str) -> None:
    assert quoted(name) == text


@given(st.integers(300, 5000), st.sampled_from(["", "a body", "a body\n"]))
def test_a_message_has_the_size_that_is_asked_for(size: int, body: str) -> None:
    made = content(MailStep(to=("john@mycompany.com",), size=size, body=body))
    assert len(dot_stuffed(made)) - len(b".\r\n") == size


def test_a_message_is_never_cut() -> None:
    assert content(MailStep(to=("a@b.c",), size=10, body="x\n")).endswith(b"\n\nx\n")


def test_settings_that_change_become_updates() -> None:
    commands = changes(
        {"LOCAL": {"Processes": 1}, "Server": {"Main Domain Name": "b.c"}}, Keywords()
    )
    assert commands == [
        "UpdateModule LOCAL {Processes=1;}",
        'UpdateServerSettings {DomainName="b.c";}',
    ]
    with pytest.raises(TargetError, match="no keyword"):
        changes({"LOCAL": {"No Such Label": 1}}, Keywords())
