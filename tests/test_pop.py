"""POP3 sessions, as the POP Module chapter tells them."""

from __future__ import annotations

import hashlib
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reception_world import CLIENT, STRANGER, FakeAccess, FakeSide, PopWorld, Wire
from twisted.internet.defer import Deferred

from reference.kernel.protection import AddressTable
from reference.kernel.routes import SpamTrap
from reference.protocols.message_view import names_recipient, top
from reference.storage.mbox_format import Flag

ONE = b"Subject: one\r\nX-Real-To: abcdef\r\n\r\n.\r\n..\r\n.text\r\nlast\r\n"
TWO = b"Subject: two\r\nX-Real-To: xyz, Abcdef\r\n\r\nbody\r\n"


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # What survives a power failure is the storage's test.
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def world(tmp_path: Path) -> PopWorld:
    world = PopWorld(tmp_path)
    world.store(ONE, TWO)
    return world


# Logins


def test_the_documents_dialogue(world: PopWorld) -> None:
    wire = world.dial()
    assert re.fullmatch(
        rb"\+OK CommuniGate Pro POP3 Server 1\.0 ready <1\.\d+@company\.com>\r\n", wire.heard()
    )
    assert wire.say("USER john") == "+OK, send pass\r\n"
    assert wire.say("PASS secret of company.com") == "+OK 2 message(s)\r\n"
    uids = [message.uid for message in world.inbox.messages()]
    assert wire.say("UIDL") == f"+OK\r\n1 {uids[0]}\r\n2 {uids[1]}\r\n.\r\n"
    assert wire.say("QUIT") == "+OK bye-bye\r\n"
    assert wire.closed


def test_a_wrong_password(world: PopWorld) -> None:
    wire = world.dial()
    wire.heard()
    assert wire.say("USER john", "PASS wrong").endswith("-ERR Incorrect Password\r\n")
    assert wire.say("STAT", "PASS x").startswith("-ERR not now\r\n-ERR")
    assert wire.say("USER john", "PASS secret of company.com").endswith("2 message(s)\r\n")


def test_apop(world: PopWorld) -> None:
    wire = world.dial()
    stamp = re.search(r"<.*>", wire.heard().decode())
    assert stamp is not None
    for password, answer in (("wrong", "-ERR"), ("secret of company.com", "+OK 2")):
        digest = hashlib.md5((stamp[0] + password).encode()).hexdigest()
        assert wire.say(f"APOP john {digest}").startswith(answer)


def test_auth(world: PopWorld) -> None:
    wire = world.dial()
    wire.heard()
    assert wire.say("AUTH") == "+OK\r\nCRAM-MD5\r\nLOGIN\r\nPLAIN\r\n.\r\n"
    assert wire.say("AUTH LOGIN", "*").startswith("+ VXNlcm5hbWU6\r\n-ERR")
    assert wire.say("AUTH XYZ").startswith("-ERR")
    assert wire.say("AUTH LOGIN", "am9obg==").splitlines()[1] == "+ UGFzc3dvcmQ6"
    assert wire.say("c2VjcmV0IG9mIGNvbXBhbnkuY29t").startswith("+OK 2")


def test_auth_with_an_initial_response(world: PopWorld) -> None:
    wire = world.dial()
    wire.heard()
    assert wire.say("AUTH PLAIN AGpvaG4Ac2VjcmV0IG9mIGNvbXBhbnkuY29t").startswith("+OK 2")


def test_client_only_logins_close_the_connection(world: PopWorld) -> None:
    world.settings.update("Protection", {"NonClientLogins": "reject"})
    wire = world.dial()
    assert wire.heard().startswith(b"+OK")
    assert "-ERR" in wire.say("USER john", "PASS secret of company.com")
    assert wire.closed
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    wire = world.dial(CLIENT)
    assert wire.say("USER john", "PASS secret of company.com").endswith("2 message(s)\r\n")


def test_guessing_ends(world: PopWorld) -> None:
    wire = world.dial()
    for _ in range(10):
        assert not wire.closed
        wire.say("USER john", "PASS wrong")
    assert wire.closed


def test_a_session_makes_a_temporary_client_until_it_ends(world: PopWorld) -> None:
    world.settings.update("Protection", {"ProcessAsClient": "YES", "ProcessAsClientFor": "10m"})
    wire = world.open()
    world.clock.advance(599)
    wire.say("NOOP")
    world.clock.advance(599)
    assert world.protection.is_temporary(STRANGER)
    wire.say("QUIT")
    wire.drop()
    world.clock.advance(599)
    assert world.protection.is_temporary(STRANGER)
    world.clock.advance(1)
    assert not world.protection.is_temporary(STRANGER)
    assert world.john.sessions == 0


def test_a_connection_dropped_during_the_login(world: PopWorld) -> None:
    answer: Deferred[list[str]] = Deferred()
    world.settings.update(
        "Protection",
        {"DetectClientsByName": "YES", "ClientNames": ["*"], "ProcessAsClient": "YES"},
    )
    world.names.answers[f"PTR {STRANGER}"] = answer
    wire = world.dial()
    wire.say("USER john", "PASS secret of company.com")
    assert world.work.tasks == 0
    wire.drop()
    answer.callback([])
    assert world.john.sessions == 0
    assert world.work.tasks == 0


# Mailboxes


def test_other_mailboxes(world: PopWorld) -> None:
    world.john.create_mailbox("private")
    world.open("private#john").drop()
    for name in ("nothere#john", "~boss/INBOX#john"):
        wire = world.dial()
        wire.heard()
        assert "-ERR" in wire.say(f"USER {name}", "PASS secret of company.com")
        assert world.john.sessions == 0


@pytest.mark.parametrize(
    ("name", "shown"), [("abcdef", 2), ("xyz", 1), ("XYZ", 1), ("blahblah", 0)]
)
def test_individual_mail_in_a_unified_account(world: PopWorld, name: str, shown: int) -> None:
    world.store(b"Subject: for nobody\r\n\r\nX-Real-To: xyz\r\n")
    world.router.local(f"{name}@unified.example", "john", real_to=name)
    wire = world.open(f"{name}@unified.example")
    assert wire.say("STAT").startswith(f"+OK {shown} ")
    assert world.open().say("STAT").startswith("+OK 3 ")


def test_an_individual_deletes_the_right_message(world: PopWorld) -> None:
    world.router.local("xyz@unified.example", "john", real_to="xyz")
    wire = world.open("xyz@unified.example")
    assert wire.say("RETR 2").startswith("-ERR")
    wire.say("DELE 1", "QUIT")
    assert [world.inbox.read(message) for message in world.inbox.messages()] == [ONE]


# Messages


def test_numbers_and_sizes(world: PopWorld) -> None:
    wire = world.open()
    assert wire.say("STAT") == f"+OK 2 {len(ONE) + len(TWO)}\r\n"
    assert wire.say("LIST").splitlines()[1:] == [f"1 {len(ONE)}", f"2 {len(TWO)}", "."]
    assert wire.say("LIST 2") == f"+OK 2 {len(TWO)}\r\n"
    assert wire.say("UIDL 2") == f"+OK 2 {world.inbox.messages()[1].uid}\r\n"


def test_retr_doubles_dots_and_marks_as_seen(world: PopWorld) -> None:
    wire = world.open()
    assert wire.say("RETR 1") == (
        f"+OK {len(ONE)} octets\r\n"
        "Subject: one\r\nX-Real-To: abcdef\r\n\r\n..\r\n...\r\n..text\r\nlast\r\n.\r\n"
    )
    assert [Flag.SEEN in message.flags for message in world.inbox.messages()] == [True, False]


def test_top_marks_nothing(world: PopWorld) -> None:
    wire = world.open()
    header = "Subject: one\r\nX-Real-To: abcdef\r\n\r\n"
    assert wire.say("TOP 1 0") == f"+OK\r\n{header}.\r\n"
    assert wire.say("TOP 1 2") == f"+OK\r\n{header}..\r\n...\r\n.\r\n"
    assert wire.say("TOP 1 100").endswith("last\r\n.\r\n")
    assert not any(Flag.SEEN in message.flags for message in world.inbox.messages())


def test_a_large_message_waits_for_the_client(world: PopWorld) -> None:
    world.store(b"Subject: large\r\n\r\n" + b"x" * 300_000 + b"\r\n")
    wire = world.open()
    wire.session.pauseProducing()
    wire.session.resumeProducing()
    write = wire.transport.write

    def full(octets: bytes) -> None:
        write(octets)
        wire.session.pauseProducing()

    wire.transport.write = full
    wire.send(b"RETR 3\r\nNOOP\r\n")
    received = b""
    for _ in range(20):
        assert world.work.tasks == 0
        part = wire.heard()
        assert len(part) < 70_000
        received += part
        wire.session.resumeProducing()
    assert received.count(b"x") == 300_000
    assert received.endswith(b"\r\n.\r\n+OK\r\n")


def test_a_client_that_stops_reading_is_cut_off(world: PopWorld) -> None:
    world.store(b"Subject: large\r\n\r\n" + b"x" * 300_000 + b"\r\n")
    wire = world.open()
    write = wire.transport.write

    def full(octets: bytes) -> None:
        write(octets)
        wire.session.pauseProducing()

    wire.transport.write = full
    wire.send(b"RETR 3\r\n")
    world.clock.advance(600)
    assert wire.transport.disconnected
    wire.drop()
    assert world.work.tasks == 0
    assert not world.log.faults


@pytest.mark.parametrize("command", ["RETR 3", "RETR 0", "RETR", "RETR x", "RETR -1", "DELE 0"])
def test_wrong_numbers(world: PopWorld, command: str) -> None:
    assert world.open().say(command).startswith("-ERR")


@pytest.mark.parametrize("command", ["LIST 9", "UIDL 3", "TOP 3 1", "TOP 1", "TOP 1 -1", "TOP 1 x"])
def test_more_wrong_numbers(world: PopWorld, command: str) -> None:
    assert world.open().say(command).startswith("-ERR")


def test_dele_rset_and_quit(world: PopWorld) -> None:
    wire = world.open()
    assert wire.say("DELE 1").startswith("+OK")
    assert wire.say("DELE 1", "RETR 1").count("-ERR") == 2
    assert wire.say("LIST").splitlines()[1:] == [f"2 {len(TWO)}", "."]
    assert wire.say("RSET", "STAT").endswith(f"+OK 2 {len(ONE) + len(TWO)}\r\n")
    wire.say("DELE 1", "QUIT")
    assert [world.inbox.read(message) for message in world.inbox.messages()] == [TWO]


@pytest.mark.parametrize("ending", ["drop", "timeout"])
def test_without_quit_nothing_is_deleted(world: PopWorld, ending: str) -> None:
    wire = world.open()
    wire.say("DELE 1")
    if ending == "drop":
        wire.drop()
    else:
        world.clock.advance(601)
        assert wire.closed
    assert len(world.inbox.messages()) == 2


def test_a_session_shows_what_was_there(world: PopWorld) -> None:
    wire = world.open()
    world.store(b"Subject: three\r\n\r\n\r\n")
    assert wire.say("STAT").startswith("+OK 2 ")
    assert wire.say("RETR 3").startswith("-ERR")
    assert world.open().say("STAT").startswith("+OK 3 ")


def test_zombies(world: PopWorld) -> None:
    wire = world.open()
    world.inbox.delete([world.inbox.messages()[0].uid])
    assert wire.say("LIST").splitlines()[1:] == ["1 0", f"2 {len(TWO)}", "."]
    assert wire.say("RETR 1").startswith("-ERR")
    assert "Subject: two" in wire.say("RETR 2")
    wire.say("DELE 1", "QUIT")
    assert len(world.inbox.messages()) == 1


# XTND XMIT


def xmit(wire: Wire, content: bytes) -> str:
    assert wire.say("XTND XMIT").startswith("+OK")
    return wire.say(content + b".")


def test_xmit_submits_to_anywhere(world: PopWorld) -> None:
    content = b"To: x@far.example\r\nBcc: J <john@company.com>,\r\n\tz@far.example\r\n"
    content += b"Subject: y\r\n\r\n..dot\r\n"
    assert xmit(world.open(), content).startswith("+OK")
    (draft,) = world.queue.committed
    assert draft.envelope.return_path == "john@company.com"
    assert draft.envelope.source.account == "john@company.com"
    recipients = [recipient.address for recipient in draft.envelope.recipients]
    assert recipients == ["x@far.example", "john@company.com", "z@far.example"]
    assert draft.body == b"To: x@far.example\r\nSubject: y\r\n\r\n.dot\r\n"
    assert b"with POP id" in draft.octets


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: nobody\r\n\r\nx\r\n",
        b"To: trap@company.com, x@far.example\r\n\r\nx\r\n",
        b"To: x@far.example\r\n\r\na\nb\r\n",
        b"X: " + b"x" * (1 << 20) + b"\r\n\r\n",
        b"",
    ],
)
def test_xmit_refusals(world: PopWorld, content: bytes) -> None:
    world.router.routes["trap@company.com"] = SpamTrap("spamtrap")
    wire = world.open()
    assert xmit(wire, content).startswith("-ERR")
    assert all(draft.state == "aborted" for draft in world.queue.drafts)
    assert wire.say("NOOP") == "+OK\r\n"


def test_xmit_leaves_what_leads_nowhere_to_the_report(world: PopWorld) -> None:
    assert xmit(world.open(), b"To: nosuch@company.com\r\n\r\nx\r\n").startswith("+OK")
    (recipient,) = world.queue.committed[0].envelope.recipients
    assert recipient.address == "nosuch@company.com"


def test_xmit_without_a_body(world: PopWorld) -> None:
    assert xmit(world.open(), b"To: x@far.example\r\n").startswith("+OK")
    assert world.queue.committed[0].body == b"To: x@far.example\r\n"


def test_xmit_needs_a_login_and_knows_nothing_else(world: PopWorld) -> None:
    wire = world.dial()
    wire.heard()
    assert wire.say("XTND XMIT").startswith("-ERR")
    assert world.open().say("XTND ARCHIVE").startswith("-ERR")


def test_xmit_dropped_in_the_middle(world: PopWorld) -> None:
    wire = world.open()
    wire.say("XTND XMIT")
    wire.send(b"To: x@far.example\r\n\r\nhalf")
    wire.drop()
    assert [draft.state for draft in world.queue.drafts] == ["aborted"]


# The rest


def test_capabilities(tmp_path: Path) -> None:
    world = PopWorld(tmp_path, tls=FakeSide())
    wire = world.dial()
    assert "\r\nSTLS\r\n" in wire.say("CAPA")
    wire.send(b"STLS\r\nUSER injected\r\n")
    assert wire.heard() == b"+OK begin TLS negotiation\r\n"
    assert wire.transport.tls == ["side"]
    assert wire.say("PASS x").startswith("-ERR")
    assert "STLS" not in wire.say("CAPA")


@pytest.mark.parametrize("line", ["XYZZY", "", "STAT", "STLS", "USER", "APOP john", "USER a\0b"])
def test_refused_before_the_login(world: PopWorld, line: str) -> None:
    wire = world.dial()
    wire.heard()
    assert wire.say(line).startswith("-ERR")
    assert not wire.closed


def test_passwords_never_reach_the_log(world: PopWorld) -> None:
    wire = world.open()
    wire.say("PASS secret of company.com", "secret of company.com")
    assert "secret" not in "\n".join(record[2] for record in world.log.records)


def test_long_lines(world: PopWorld) -> None:
    wire = world.dial()
    wire.heard()
    assert wire.say("x" * 100_000, "CAPA").startswith("-ERR the line is too long\r\n+OK")


fields = st.sampled_from(
    [b"X-Real-To: a, b\r\n", b"x-real-to:\r\n\tb\r\n", b"To: a\r\n", b"Y: b\r\n"]
)


@given(st.lists(fields), st.sampled_from(["a", "b", "c"]))
def test_names_recipient(header: list[bytes], name: str) -> None:
    expected = {
        "a": b"X-Real-To: a, b\r\n" in header,
        "b": b"X-Real-To: a, b\r\n" in header or b"x-real-to:\r\n\tb\r\n" in header,
        "c": False,
    }
    message = b"".join(header) + b"\r\nX-Real-To: a, b, c\r\n"
    if not header:
        message = b"Subject: x\r\n" + message
    assert names_recipient(message, "X-Real-To", name) == expected[name]


@given(st.lists(st.sampled_from([b"a", b"", b".", b"b c"]), max_size=8), st.integers(0, 10))
def test_top(body: list[bytes], count: int) -> None:
    header = b"Subject: x\r\n\r\n"
    lines = [line + b"\r\n" for line in body]
    assert top(header + b"".join(lines), count) == header + b"".join(lines[:count])


FRAGMENTS = st.sampled_from(
    [
        *(b"USER john\r\n", b"PASS secret\r\n", b"STAT\r\n", b"LIST\r\n", b"RETR 1\r\n"),
        *(b"DELE 1\r\n", b"RSET\r\n", b"QUIT\r\n", b"AUTH LOGIN\r\n", b"*\r\n", b"XTND XMIT\r\n"),
        *(b"To: a@b.example\r\n\r\nx\r\n.\r\n", b"\n", b"\r", b"\0", b"\xff", b"x" * 5000),
    ]
)
STREAMS = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=20).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(stream=STREAMS, cuts=st.lists(st.integers(min_value=0, max_value=600), max_size=20))
def test_packets_may_be_cut_anywhere(world: PopWorld, stream: bytes, cuts: list[int]) -> None:
    def outcome(places: list[int]) -> bytes:
        world.sessions = 0
        wire = world.dial()
        at = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
        for start, end in pairwise(at):
            wire.send(stream[start:end])
        wire.drop()
        return re.sub(rb"<[^>]*>|\b1\d{3}\b|PHd[A-Za-z0-9+/=]*", b"#", wire.heard())

    assert outcome(cuts) == outcome([])
    assert not world.log.faults
    assert world.work.tasks == 0
    assert not world.clock.getDelayedCalls()


def test_a_fault_of_the_server_is_answered(world: PopWorld) -> None:
    wire = world.dial()
    wire.heard()
    object.__setattr__(world.office, "access", FakeAccess())
    assert "-ERR internal error" in wire.say("USER john", "PASS secret")
    assert wire.closed
    assert len(world.log.faults) == 1
